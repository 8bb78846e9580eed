"""The facts about a static model before it is loaded, compared with the loaded model."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from model2vec import StaticModel
from support.command import simil

from simil.models.catalog import ModelInfo, catalog
from simil.models.files.facts import read_info
from simil.models.files.token_table import read_static
from static_models.conftest import Open


def test_a_folder_of_model2vec_tells_of_itself(static_folder: Path, open_static: Open) -> None:
    shown = json.loads(simil("models", "show", str(static_folder), "-f", "json").out)
    vectors = open_static(static_folder).embed(["a cold river"])

    assert (shown["pooling"], shown["dimensions"]) == ("static", vectors.shape[1])
    assert shown["max_tokens"] == 512
    assert shown["extra"] == "static"


def test_a_folder_of_sentence_transformers_tells_of_itself(
    by_sentence_transformers: Callable[..., Path], open_static: Open
) -> None:
    folder = by_sentence_transformers(prompts={"query": "query: "})
    info = read_info("mine", folder)

    assert (info.pooling, info.max_tokens, info.query_prompt) == ("static", None, "query: ")
    assert info.dimensions == open_static(folder).embed(["a cold river"]).shape[1]


def test_what_comes_after_512_tokens_is_not_read(static_folder: Path, open_static: Open) -> None:
    """model2vec's default if config.json sets no limit."""
    read = " ".join(["river"] * 512)
    embedder = open_static(static_folder)
    whole = embedder.embed([read])
    np.testing.assert_array_equal(embedder.embed([f"{read} a cold stone wall"]), whole)
    by_model2vec = StaticModel.from_pretrained(static_folder).encode([f"{read} a cold stone wall"])
    np.testing.assert_allclose(by_model2vec[0], whole[0], atol=1e-6)


@pytest.mark.parametrize("info", [info for info in catalog().values() if "minishlab" in info.repo])
def test_the_catalog_says_where_static_models_stop(info: ModelInfo, static_folder: Path) -> None:
    """Those of model2vec; a StaticEmbedding of sentence-transformers reads texts of any length."""
    table = read_static(static_folder)
    assert table is not None
    assert info.max_tokens == table.max_tokens
    assert "max_tokens" in info.sources


def test_a_table_without_a_width_is_listed_all_the_same(tmp_path: Path) -> None:
    header = json.dumps({"embeddings": {"dtype": "F32", "shape": [], "data_offsets": [0, 4]}}).encode()
    (tmp_path / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + b"1234")
    for name in ("config.json", "tokenizer.json"):
        (tmp_path / name).write_text("{}")
    assert read_info("odd", tmp_path).dimensions is None

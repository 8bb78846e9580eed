"""One model folder of each family of architectures, compared with sentence-transformers text by text.

benchmarks/architectures.py does the same with all of them, in processes of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from support.benchmark_modules import benchmark_modules
from support.corpus import LONG

from engines.conftest import Open, cosines
from simil.embedders.base import Kind
from simil.embedders.local.graph import GraphEmbedder

# Lengths within and beyond a step of padding, and beyond the limit of 160 tokens.
TEXTS = [".", "Apple", "Naïve café, 今天天气 😀", LONG[:100], LONG[:230], LONG[40:]]


@pytest.fixture(scope="module")
def load() -> Iterator[Any]:
    with benchmark_modules() as loading:
        yield loading


@pytest.fixture(scope="module")
def shapes(load: Any) -> Any:
    return load("architecture_shapes")


def _theirs(folder: Path, kind: Kind) -> NDArray[np.float32]:
    """Return the vectors of sentence-transformers, each text alone, so that no padding plays a part."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder), device="cpu", local_files_only=True).float()
    encode = {Kind.SYMMETRIC: model.encode, Kind.QUERY: model.encode_query}[kind]
    return np.asarray(encode(TEXTS, batch_size=1, show_progress_bar=False))


@pytest.mark.parametrize(
    "name",
    [
        "bert-unigram",
        "bert-sharded",
        "xlm-roberta",
        "modernbert",
        "deberta-v3",
        "t5-gated",
        "qwen3",
        "gemma3-bidirectional",
        "gpt2",
        "xlnet",
    ],
)
def test_an_architecture_gives_the_vectors_of_sentence_transformers(
    name: str, tmp_path: Path, shapes: Any, open_model: Open
) -> None:
    architecture = next(item for item in shapes.ARCHITECTURES if item.name == name)
    folder = shapes.build(tmp_path / name, architecture)
    kind = Kind.QUERY if architecture.prompts else Kind.SYMMETRIC
    embedder = open_model(folder, "auto")

    vectors = embedder.embed(TEXTS, kind)
    assert cosines(vectors, _theirs(folder, kind)).min() >= 0.99999
    assert isinstance(embedder, GraphEmbedder) or name == "gemma3-bidirectional"
    # Vectors that are all alike would agree in spite of errors.
    assert cosines(vectors[:-1], vectors[1:]).max() < 0.9999


@pytest.mark.parametrize("name", ["fnet", "mobilebert"])
def test_a_model_that_does_not_mask_padding_gets_none(
    name: str, tmp_path: Path, shapes: Any, open_model: Open
) -> None:
    architecture = next(item for item in shapes.ARCHITECTURES if item.name == name)
    folder = shapes.build(tmp_path / name, architecture)

    vectors = open_model(folder, "torch").embed(TEXTS)
    assert cosines(vectors, _theirs(folder, Kind.SYMMETRIC)).min() >= 0.99999


def test_the_attention_of_a_big_bird_does_not_depend_on_earlier_texts(
    tmp_path: Path, shapes: Any, open_model: Open
) -> None:
    architecture = next(item for item in shapes.ARCHITECTURES if item.name == "bigbird")
    folder = shapes.build(tmp_path / "bigbird", architecture)
    embedder = open_model(folder, "torch")

    vectors = np.concatenate([embedder.embed([text]) for text in TEXTS])
    # It reads the longest text first, with sparse attention, and turns to full attention once.
    assert cosines(vectors, _theirs(folder, Kind.SYMMETRIC)).min() >= 0.99999


def test_a_large_model_made_shard_by_shard_is_a_sound_one(
    tmp_path: Path, load: Any, open_model: Open
) -> None:
    folder = load("make_large_model").make(tmp_path / "large", layers=1, hidden=32, vocabulary=800)

    vectors = open_model(folder, "onnx").embed(TEXTS)
    assert cosines(vectors, _theirs(folder, Kind.SYMMETRIC)).min() >= 0.99999

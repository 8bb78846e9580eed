"""Texts with more tokens than the model reads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import tiny_models as tiny
from support.corpus import LONG
from tokenizers import Tokenizer

from engines.conftest import Open, cosines
from simil.embedders.base import Embedder, Kind, TextRejected
from simil.embedders.local.token_arrays import TokenArrays
from simil.models.files import model_source as source

LIMIT = 64
ENGINES = ("onnx", "torch")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, bert_folder: Path) -> Path:
    prompts = {"query": "find this: "}
    return tiny.sentence_model(
        tmp_path_factory.mktemp("model") / "tiny", bert_folder, max_tokens=LIMIT, prompts=prompts
    )


@pytest.fixture(scope="module")
def tokenizer(folder: Path) -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def _tokens(tokenizer: Tokenizer, text: str) -> int:
    return len(tokenizer.encode(text, add_special_tokens=False).ids)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("overflow", ["warn", "truncate"])
def test_the_beginning_is_embedded_and_counted(
    engine: str, overflow: str, open_model: Open, folder: Path, tokenizer: Tokenizer
) -> None:
    embedder = open_model(folder, engine, overflow)
    end = tokenizer.encode(LONG, add_special_tokens=False).offsets[LIMIT - 3][1]
    long, beginning, _ = embedder.embed([LONG, LONG[:end], "short"])

    assert _tokens(tokenizer, LONG[:end]) == LIMIT - 2
    np.testing.assert_allclose(long, beginning, atol=1e-6)
    assert embedder.truncated == 1
    embedder.embed([LONG, "short", LONG])
    assert embedder.truncated == 3


@pytest.mark.parametrize("engine", ENGINES)
def test_error_names_the_first_text_that_is_too_long(engine: str, open_model: Open, folder: Path) -> None:
    embedder = open_model(folder, engine, "error")

    with pytest.raises(TextRejected, match="longer than the 64 tokens") as caught:
        embedder.embed(["short", LONG, "short", LONG])
    assert caught.value.index == 1
    assert "--overflow" in caught.value.hint
    assert embedder.embed(["short"]).shape == (1, tiny.HIDDEN)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_text_that_just_fits_is_not_too_long(
    engine: str, open_model: Open, folder: Path, tokenizer: Tokenizer
) -> None:
    embedder = open_model(folder, engine, "error")
    fits = " ".join(["apple"] * (LIMIT - 2))

    assert _tokens(tokenizer, fits) == LIMIT - 2
    assert embedder.embed([fits]).shape == (1, tiny.HIDDEN)
    with pytest.raises(TextRejected):
        embedder.embed([fits + " apple"])


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("kind", "room"), [(Kind.SYMMETRIC, LIMIT - 2), (Kind.QUERY, LIMIT - 5)])
def test_chunk_is_the_mean_of_the_windows_by_their_tokens(
    engine: str, kind: Kind, room: int, open_model: Open, folder: Path, tokenizer: Tokenizer
) -> None:
    short = "a short text beside it"
    got = open_model(folder, engine, "chunk").embed([short, LONG, short], kind)

    # Each of these words is one token or is never cut, so the windows can be counted by hand.
    windows: list[list[str]] = [[]]
    for word in LONG.split():
        if _tokens(tokenizer, " ".join([*windows[-1], word])) > room:
            windows.append([])
        windows[-1].append(word)
    parts = [" ".join(words) for words in windows]
    weights = np.array([_tokens(tokenizer, part) for part in parts])
    vectors = open_model(folder, engine, "error").embed(parts, kind)
    mean = (vectors * weights[:, None]).sum(axis=0) / weights.sum()
    expected = mean / np.linalg.norm(mean)

    assert len(parts) > 5
    np.testing.assert_allclose(got[1], expected, atol=2e-6)
    np.testing.assert_allclose(got[0], got[2], atol=1e-6)
    truncated = open_model(folder, engine).embed([LONG], kind)
    assert cosines(truncated, got[1:2])[0] < 0.99999


def test_chunk_without_unit_length_is_the_mean_itself(open_model: Open, folder: Path) -> None:
    vectors = [
        open_model(folder, engine, "chunk", normalize=False).embed([LONG], normalize=False)
        for engine in ENGINES
    ]

    np.testing.assert_allclose(*vectors, rtol=1e-4, atol=1e-5)
    assert np.linalg.norm(vectors[0]) > 1.5


@pytest.mark.parametrize("overflow", ["truncate", "chunk"])
def test_both_engines_agree_on_long_texts(overflow: str, open_model: Open, folder: Path) -> None:
    long = [LONG, "x" * 3000, "漢字" * 200, "word\x1c" * 900, "!" * 5000, f"{' ' * 20_000}{LONG}"]
    vectors = [open_model(folder, engine, overflow).embed(long) for engine in ENGINES]

    assert cosines(*vectors).min() >= 0.99999


@pytest.fixture(scope="module")
def truncating(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Embedder:
    from simil.config import load_settings
    from simil.embedders.factory import open_embedder

    cache = tmp_path_factory.mktemp("cache")
    environ = {
        "SIMIL_CACHE_DIR": str(cache),
        "SIMIL_OVERFLOW": "truncate",
        "SIMIL_ENGINE": "onnx",
        "SIMIL_CACHE": "0",
    }
    chosen = load_settings(model=str(folder), environ=environ, directory=cache)
    return open_embedder(chosen)


@given(
    words=st.lists(st.text(st.sampled_from("abcé中한,!\x1c\u200b😀"), min_size=1, max_size=40), min_size=40),
    glue=st.sampled_from([" ", "  ", "\n", "\t \r\n"]),
)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_long_text_has_the_vector_of_its_truncation(
    words: list[str], glue: str, truncating: Embedder, tokenizer: Tokenizer
) -> None:
    text = glue.join([*words, *["tail"] * 4000])
    ids = tokenizer.encode(text).ids
    embedder = truncating
    whole = embedder.embed([text])[0]
    # What the model must have read, encoded directly.
    tokenizer.enable_truncation(LIMIT)
    try:
        encoding = tokenizer.encode(text)
    finally:
        tokenizer.no_truncation()
    tokens = TokenArrays.of([encoding.ids])
    expected = embedder._vectors("", [text], tokens)[0]  # type: ignore[attr-defined]

    assert encoding.ids == [*ids[: LIMIT - 1], ids[-1]]
    np.testing.assert_allclose(whole, expected, atol=1e-6)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_megabyte_costs_little_when_only_its_beginning_is_read(
    engine: str, open_model: Open, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "Apple and orange, lightning! " * 40_000
    embedder: Any = open_model(folder, engine, "warn")
    reading, compute = _Reading(embedder._encoder._tokenizer), embedder._start

    def computed(prompt: str, texts: Sequence[str], *rest: Any) -> Any:
        reading.characters += sum(map(len, texts))
        return compute(prompt, texts, *rest)

    monkeypatch.setattr(embedder._encoder, "_tokenizer", reading)
    monkeypatch.setattr(embedder, "_start", computed)
    embedder.embed([text])
    assert embedder.truncated == 1
    # By the tokenizer, and by the engine, which may have another.
    assert 0 < reading.characters < len(text) / 100


class _Reading:
    """A tokenizer that counts the characters that it reads."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer, self.characters = tokenizer, 0

    def encode_batch_fast(self, texts: Sequence[str]) -> Any:
        self.characters += sum(map(len, texts))
        return self._tokenizer.encode_batch_fast(texts)


def test_a_model_may_have_no_positions_for_padding(tmp_path: Path, open_model: Open) -> None:
    from transformers import BertConfig, BertModel

    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4, "intermediate_size": 64}
    network = BertModel(BertConfig(**sizes, max_position_embeddings=130))
    folder = tiny.transformer_folder(tmp_path / "model", network, source.EMBEDDED)
    tiny.edit_json(folder / "tokenizer_config.json", model_max_length=130)

    by_engine = [open_model(folder, engine).embed([LONG, "an apple"]) for engine in ("onnx", "torch")]

    assert cosines(*by_engine).min() >= 0.99999

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from model2vec import StaticModel
from numpy.typing import NDArray
from support.corpus import varied_texts
from tokenizers import Tokenizer

from simil.embedders.base import Embedder, Kind, TextRejected
from simil.embedders.local import static
from static_models.conftest import Open

BOOK = "The river sings of winter, and the mountain engine dreams of an orange harbour at night. " * 400


def by_the_library(folder: Path, texts: list[str], **how: Any) -> NDArray[np.float32]:
    loaded = StaticModel.from_pretrained(folder)
    return loaded.encode(texts, use_multiprocessing=False, **how).astype(np.float32)


def by_sentence_transformers_itself(folder: Path, texts: list[str], **how: Any) -> NDArray[np.float32]:
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(folder), device="cpu").encode(texts, **how)


def read_by(folder: Path) -> list[str]:
    """The varied texts, without those that have no token known to the model."""
    texts = [*varied_texts(), BOOK]
    return [text for text, vector in zip(texts, by_the_library(folder, texts), strict=True) if vector.any()]


def cosines(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float64]:
    a, b = left.astype(np.float64), right.astype(np.float64)
    return (a * b).sum(axis=1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))


def quantized(table: NDArray[np.float32], kind: str) -> NDArray[Any]:
    return (table / np.abs(table).max() * 127).astype(kind) if kind == "int8" else table.astype(kind)


@pytest.mark.parametrize(
    "how",
    [
        {"normalize": True},
        {"normalize": False},
        {"normalize": True, "max_length": 20},
        {"normalize": True, "max_length": None},
    ],
    ids=str,
)
def test_vectors_are_those_of_model2vec(
    how: dict[str, Any], by_model2vec: Callable[..., Path], open_static: Open
) -> None:
    folder = by_model2vec(**how)
    texts = read_by(folder)
    assert 200 < len(texts) < 301

    embedder = open_static(folder, normalize=False)

    np.testing.assert_array_equal(
        embedder.embed(texts, normalize=False), by_the_library(folder, texts, normalize=False)
    )
    normalized = open_static(folder).embed_batch(texts)
    np.testing.assert_array_equal(normalized, by_the_library(folder, texts))


@pytest.mark.parametrize("kind", ["float16", "int8"])
def test_smaller_numbers_at_rest_are_read_as_model2vec_reads_them(
    kind: str, table: NDArray[np.float32], by_model2vec: Callable[..., Path], open_static: Open
) -> None:
    folder = by_model2vec(vectors=quantized(table, kind), normalize=True)
    texts = read_by(folder)

    np.testing.assert_array_equal(open_static(folder).embed_batch(texts), by_the_library(folder, texts))


def test_a_table_with_fewer_rows_than_tokens_is_read_as_model2vec_reads_it(
    table: NDArray[np.float32], by_model2vec: Callable[..., Path], open_static: Open
) -> None:
    mapping = np.arange(len(table)) // 3
    weights = np.linspace(0.5, 2, len(table)).astype(np.float32)
    folder = by_model2vec(vectors=table[::3], token_mapping=mapping, weights=weights, normalize=True)
    texts = read_by(folder)

    np.testing.assert_array_equal(open_static(folder).embed_batch(texts), by_the_library(folder, texts))


@pytest.mark.parametrize(
    "how", [{}, {"normalize": False}, {"cut_at": 16}, {"cut_at": 16, "cut_side": "left"}], ids=str
)
def test_vectors_are_those_of_sentence_transformers_for_its_own_models(
    how: dict[str, Any], by_sentence_transformers: Callable[..., Path], open_static: Open
) -> None:
    folder = by_sentence_transformers(**how)
    # An unknown word counts there, so these are all texts with any token.
    expected = by_sentence_transformers_itself(folder, [*varied_texts(), BOOK])
    texts = [text for text, vector in zip([*varied_texts(), BOOK], expected, strict=True) if vector.any()]
    expected = expected[expected.any(axis=1)]
    assert len(texts) > 250

    found = open_static(folder, normalize=False).embed(texts, normalize=False)

    assert cosines(found, expected).min() >= 0.99999
    raw = by_sentence_transformers_itself(folder, texts, normalize_embeddings=False)
    if how.get("normalize") is False:
        np.testing.assert_allclose(found, raw, atol=1e-5)
    by_torch = open_static(folder, engine="torch", normalize=False).embed(texts, normalize=False)
    np.testing.assert_allclose(found, by_torch, atol=1e-5)


def test_both_libraries_agree_where_all_words_are_known(static_folder: Path, open_static: Open) -> None:
    texts = ["a river and a mountain", "the engine sings", "orange", "winter harbour at night, and snow"]

    by_torch = open_static(static_folder, engine="torch").embed(texts)

    np.testing.assert_allclose(open_static(static_folder).embed(texts), by_torch, atol=1e-6)


def test_the_vector_of_a_text_does_not_depend_on_the_others(static_folder: Path, open_static: Open) -> None:
    texts = read_by(static_folder)
    embedder = open_static(static_folder)
    together = embedder.embed(texts)

    alone = np.concatenate([embedder.embed([text]) for text in texts])
    backwards = embedder.embed(texts[::-1])[::-1]

    np.testing.assert_array_equal(alone, together)
    np.testing.assert_array_equal(backwards, together)


@pytest.mark.parametrize("text", ["\u0300", "\x00\x01", "今", "漢字"])
def test_a_text_without_a_known_token_is_refused(text: str, static_folder: Path, open_static: Open) -> None:
    with pytest.raises(TextRejected, match="the text contains nothing that ") as caught:
        open_static(static_folder).embed(["orange", text, "river"])

    assert caught.value.index == 1


def unknown_rows(embedder: Embedder, texts: list[str], kind: Kind = Kind.SYMMETRIC) -> list[int]:
    rows: list[int] = []
    embedder.begin(texts, kind, on_unknown=rows.append)()
    return rows


def test_texts_of_unknown_words_are_told_where_these_count(
    by_sentence_transformers: Callable[..., Path], open_static: Open
) -> None:
    texts = ["orange", "今", "a cold 漢", "漢字 今", "今"]
    folder = by_sentence_transformers(prompts={"query": "search for: "})
    for engine in ("auto", "torch"):
        embedder = open_static(folder, engine=engine)
        assert unknown_rows(embedder, texts) == unknown_rows(embedder, texts, Kind.QUERY) == [1, 3, 4]


def test_a_long_text_is_cut_and_counted(
    static_folder: Path, by_model2vec: Callable[..., Path], open_static: Open
) -> None:
    embedder = open_static(static_folder)
    embedder.embed(["orange", BOOK, "river"])
    assert embedder.truncated == 1

    short = open_static(by_model2vec(normalize=True, max_length=3))
    short.embed(
        ["one two cat", "one two cat sat", "international communications"]
    )  # model2vec also limits characters.
    assert short.truncated == 2
    assert short.embed(["one two cat"]).tolist() == short.embed(["one two cat sat"]).tolist()


def test_a_long_text_is_refused_where_that_is_asked_for(static_folder: Path, open_static: Open) -> None:
    with pytest.raises(TextRejected, match="longer than the 512 tokens") as caught:
        open_static(static_folder, overflow="error").embed(["orange", BOOK])

    assert caught.value.index == 1


def test_chunks_give_the_mean_of_all_tokens(
    static_folder: Path, open_static: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = by_the_library(static_folder, [BOOK, "orange"], max_length=None)

    for at_once in (1 << 16, 100):
        monkeypatch.setattr(static, "_TOKENS_AT_ONCE", at_once)
        embedder = open_static(static_folder, overflow="chunk")
        # Adding up thousands of float32 one after the other, as there, loses a digit or two.
        np.testing.assert_allclose(embedder.embed([BOOK, "orange"]), expected, atol=1e-5)
        assert embedder.truncated == 0


def test_prompts_of_the_model_stand_before_a_text(
    by_sentence_transformers: Callable[..., Path], open_static: Open
) -> None:
    folder = by_sentence_transformers(prompts={"query": "search for: "})
    embedder = open_static(folder)

    asked = embedder.embed(["a cold river"], Kind.QUERY)

    np.testing.assert_array_equal(asked, embedder.embed(["search for: a cold river"]))
    assert cosines(asked, embedder.embed(["a cold river"]))[0] < 0.99
    np.testing.assert_allclose(
        asked, by_sentence_transformers_itself(folder, ["a cold river"], prompt_name="query"), atol=1e-6
    )


def test_the_fixture_is_a_model_that_knows_some_words_and_not_others(tokenizer: Tokenizer) -> None:
    unknown = tokenizer.token_to_id("[UNK]")
    assert unknown not in tokenizer.encode("a cold river", add_special_tokens=False).ids
    assert unknown in tokenizer.encode("a cold 漢", add_special_tokens=False).ids

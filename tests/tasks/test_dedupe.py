"""`dedupe` against sentence-transformers' paraphrase mining, and against its rule as one reads it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simil import similarity
from simil.tasks.corpus import Corpus
from simil.tasks.deduplication import dedupe, exact_duplicates, near_duplicates, unique_texts
from simil.texts import Text
from tasks.conftest import corpus_of


@pytest.fixture(scope="module")
def distinct(docstrings: list[str], docstring_vectors: Any) -> Corpus:
    rows = sorted({text: row for row, text in reversed([*enumerate(docstrings)])}.values())
    assert 3000 < len(rows) < len(docstrings)
    return corpus_of([docstrings[row] for row in rows], docstring_vectors[rows])


@pytest.fixture(scope="module")
def mined(distinct: Corpus) -> dict[tuple[int, int], float]:
    """All pairs from a little below 0.85 on."""
    most = 200
    from sentence_transformers.util import paraphrase_mining_embeddings

    found = paraphrase_mining_embeddings(distinct.vectors, max_pairs=10**7, top_k=most)
    pairs = {(min(i, j), max(i, j)): score for score, i, j in found if score >= 0.85 - 1e-5}
    assert max(Counter(row for pair in pairs for row in pair).values()) < most
    return pairs


def test_pairs_are_those_of_paraphrase_mining(distinct: Corpus, mined: dict[tuple[int, int], float]) -> None:
    found = {
        (int(i), int(j)): float(score)
        for block in similarity.pairs_above(distinct.vectors, 0.85)
        for i, j, score in zip(*block, strict=True)
    }
    assert len(found) > 500
    assert found.keys() <= mined.keys()
    assert all(score < 0.85 + 1e-5 for pair, score in mined.items() if pair not in found)
    assert all(abs(score - mined[pair]) < 1e-5 for pair, score in found.items())


def test_what_is_kept_follows_from_the_mined_pairs(
    distinct: Corpus, mined: dict[tuple[int, int], float]
) -> None:
    near: dict[int, list[int]] = {}
    for (i, j), score in mined.items():
        if score >= 0.9:
            near.setdefault(j, []).append(i)
    kept: set[int] = set()
    for row in range(len(distinct)):
        if not kept & set(near.get(row, [])):
            kept.add(row)
    found = near_duplicates(distinct, 0.9)
    assert set(np.flatnonzero(found.kept).tolist()) == kept
    assert len(distinct) - len(kept) > 200


words = st.lists(st.sampled_from("abcdef"), max_size=30)


@given(texts=words, others=words)
def test_equal_texts_are_those_python_finds_equal(texts: list[str], others: list[str]) -> None:
    rows = corpus_of(texts, np.zeros((len(texts), 1))).texts
    found = exact_duplicates(rows, corpus_of(others, np.zeros((len(others), 1))).texts)
    expected = [text for row, text in enumerate(texts) if text not in texts[:row] + others]
    assert [rows[row].text for row in np.flatnonzero(found.kept)] == expected
    assert all(found.representative_of(row).text == text for row, text in enumerate(texts))
    assert [text.text for text in unique_texts(rows)] == list(dict.fromkeys(texts))


def vectors_of(texts: Sequence[Text]) -> Corpus:
    """Letters on a circle, 10 degrees apart."""
    angles = np.radians([10.0 * (ord(text.text) - ord("a")) for text in texts])
    return corpus_of([text.text for text in texts], np.stack([np.cos(angles), np.sin(angles)], axis=1))


@given(texts=words, others=words, threshold=st.sampled_from([0.9, 0.98, 0.9999]))
def test_copies_go_where_the_first_of_them_went(
    texts: list[str], others: list[str], threshold: float
) -> None:
    rows = corpus_of(texts, np.zeros((len(texts), 1))).texts
    known = vectors_of(corpus_of(others, np.zeros((len(others), 1))).texts) if others else None
    asked: list[str] = []

    def embed(wanted: Sequence[Text]) -> Corpus:
        asked.extend(text.text for text in wanted)
        return vectors_of(wanted)

    found = dedupe(rows, embed, threshold, known)
    # One of each, and none that the others hold.
    assert asked == [text for text in dict.fromkeys(texts) if text not in others]
    whole = near_duplicates(vectors_of(rows), threshold, known)
    np.testing.assert_array_equal(found.kept, whole.kept)
    np.testing.assert_allclose(found.scores, whole.scores, atol=1e-6)
    np.testing.assert_array_equal(found.in_reference, whole.in_reference)
    for row in range(len(texts)):
        owner = found.representative_of(row).text
        score = float(np.cos(np.radians(10.0 * (ord(owner) - ord(texts[row])))))
        assert found.scores[row] == pytest.approx(score, abs=1e-6)
        assert found.kept[row] or score >= threshold - 1e-6


def test_what_could_not_be_embedded_is_left_out_with_its_copies() -> None:
    texts = corpus_of(["a", "x", "a", "x", "b", "f"], np.zeros((6, 1))).texts
    found = dedupe(texts, lambda wanted: vectors_of([text for text in wanted if text.text != "x"]), 0.98)
    assert [text.text for text in found.texts] == ["a", "a", "b", "f"]
    np.testing.assert_array_equal(found.representatives, [0, 0, 0, 3])
    np.testing.assert_array_equal(found.kept, [True, False, False, True])


def test_nothing_has_no_duplicates() -> None:
    empty = corpus_of([], np.empty((0, 2)))
    assert len(near_duplicates(empty, 0.9).representatives) == 0
    assert len(dedupe([], lambda texts: empty, 0.9).representatives) == 0

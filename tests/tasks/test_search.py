"""`search` against faiss, on real texts."""

from __future__ import annotations

from typing import Any

import faiss
import numpy as np
import pytest

import simil
from simil.errors import ModelMismatch
from simil.tasks.corpus import Corpus
from simil.tasks.retrieval import search, surrounding_lines
from tasks.conftest import corpus_of

QUERIES = ["send a message over the network", "sort a list", "is this a leap year?", "close the file"]


@pytest.fixture(scope="module")
def queries() -> Corpus:
    return corpus_of(QUERIES, simil.embed(QUERIES, model="minilm"))


def test_it_finds_what_faiss_finds(queries: Corpus, docstring_corpus: Corpus) -> None:
    asked = corpus_of([""] * 300, np.concatenate([queries.vectors, docstring_corpus.vectors[:296]]))
    index = faiss.IndexFlatIP(384)
    index.add(docstring_corpus.vectors)
    scores, rows = index.search(asked.vectors, 20)
    for answer, expected_scores, expected_rows in zip(
        search(asked, docstring_corpus, top_k=20), scores, rows, strict=True
    ):
        np.testing.assert_allclose(answer.scores, expected_scores, atol=1e-6)
        # Of rows that are equally near, any may be the last.
        clear = expected_scores > expected_scores[-1] + 1e-6
        assert set(expected_rows[clear].tolist()) <= set(answer.rows.tolist())
        assert (np.diff(answer.scores) <= 0).all()


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.9])
def test_a_threshold_finds_all_that_reach_it(
    queries: Corpus, docstring_corpus: Corpus, threshold: float
) -> None:
    index = faiss.IndexFlatIP(384)
    index.add(docstring_corpus.vectors)
    limits, scores, _ = index.range_search(queries.vectors, threshold)
    for number, answer in enumerate(search(queries, docstring_corpus, threshold=threshold)):
        expected = np.sort(scores[limits[number] : limits[number + 1]])[::-1]
        assert abs(len(answer.scores) - len(expected)) <= np.sum(np.abs(expected - threshold) < 1e-6)
        shared = min(len(expected), len(answer.scores))
        np.testing.assert_allclose(answer.scores[:shared], expected[:shared], atol=1e-6)
        few = search(queries, docstring_corpus, top_k=3, threshold=threshold)[number]
        np.testing.assert_array_equal(few.rows, answer.rows[:3])


def test_sensible_answers(queries: Corpus, docstring_corpus: Corpus) -> None:
    answers = search(queries, docstring_corpus, top_k=5)
    found = [[docstring_corpus.content(row).lower() for row in answer.rows] for answer in answers]
    assert any("leap" in text for text in found[2])
    assert all("close" in text for text in found[3][:2])
    assert any("message" in text for text in found[0])


def test_the_nearest_miss_is_known(queries: Corpus, docstring_corpus: Corpus) -> None:
    for answer in search(queries, docstring_corpus, threshold=0.999):
        assert len(answer.rows) == 0
        score = docstring_corpus.vectors[answer.nearest] @ _vector(queries, answer.query)
        assert answer.nearest_score == pytest.approx(score, abs=1e-6)


def _vector(queries: Corpus, query: str) -> Any:
    return queries.vectors[QUERIES.index(query)]


def test_nothing_to_search_and_other_dimensions(queries: Corpus) -> None:
    assert search(queries, corpus_of([], np.empty((0, 384)))) == []
    assert search(corpus_of([], np.empty((0, 384))), queries) == []
    with pytest.raises(ModelMismatch, match="384 dimensions"):
        search(queries, corpus_of(["a"], np.ones((1, 2))))


def test_context_is_what_stands_around_in_the_file() -> None:
    corpus = corpus_of(["a", "b", "c", "d"], np.eye(4))
    rows = [0, 1, 3]  # the third line is blank
    lines = Corpus([corpus.texts[row] for row in rows], np.eye(4, dtype=np.float32)[rows], None)
    assert surrounding_lines(lines, 1, 2).before == [(1, "a")]
    assert surrounding_lines(lines, 1, 2).after == [(3, ""), (4, "d")]
    assert surrounding_lines(lines, 0, 1).before == []
    assert surrounding_lines(Corpus(corpus.texts, corpus.vectors, None, saved=True), 1, 2).after == []

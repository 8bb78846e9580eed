"""Reranking: the order is the scorer's, equal scores keep the search's, and refused pairs are told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from simil import similarity
from simil.embedders.pieces import Piece, TextRejected
from simil.errors import InputError, Place
from simil.progress import Total
from simil.scorers.base import Pair, Scorer
from simil.tasks.corpus import Corpus
from simil.tasks.matching import match
from simil.tasks.pair_scoring import score_pairs, score_rows
from simil.tasks.reranking import rerank_matches, rerank_results
from simil.tasks.retrieval import search
from simil.texts import Pair as Row
from simil.texts import Text


class Letters(Scorer):
    """Scores two texts by the share of the second's letters that the first has; refuses "bad" ones."""

    stamp = "letters@1"

    def start(self, pairs: Sequence[Pair]) -> Iterator[Piece | TextRejected]:
        for row, (first, second) in enumerate(pairs):
            if "bad" in second:
                yield TextRejected(row, "is bad")
            else:
                yield Piece(
                    np.array([row]), np.array([[share(first, second)]], np.float32), np.zeros(1, "u1")
                )


def share(first: str, second: str) -> float:
    return sum(letter in first for letter in second) / len(second)


def corpus(texts: Sequence[str], seed: int) -> Corpus:
    vectors = np.random.default_rng(seed).normal(size=(len(texts), 8)).astype(np.float32)
    lines = [Text(str(row), text, Place("f.txt", row), {}) for row, text in enumerate(texts, 1)]
    return Corpus(lines, similarity.unit(vectors), "m@1")


WORDS = [f"{one}{two}{three}" for one in "abcdef" for two in "aeiou" for three in "xyz"]


def test_results_are_in_the_order_of_the_scores_and_ties_in_that_of_the_search() -> None:
    queries, texts = corpus(["fax", "cozy"], 1), corpus(WORDS, 2)
    found = search(queries, texts, top_k=40)
    for before, after in zip(found, rerank_results(found, queries, texts, Letters(), top_k=25), strict=True):
        assert after.rerank_scores is not None
        rows = before.rows.tolist()
        scores = [share(before.query, WORDS[row]) for row in rows]
        expected = [rows[place] for place in sorted(range(40), key=lambda place: -scores[place])][:25]
        assert after.rows.tolist() == expected
        assert after.rerank_scores == pytest.approx([share(before.query, WORDS[row]) for row in expected])
        assert after.scores == pytest.approx([before.scores[rows.index(row)] for row in expected])
        assert len({*scores}) < 10  # Many are equal.


def test_matches_are_the_best_of_each_text() -> None:
    left, right = corpus(["fax", "cozy", "dubious"], 1), corpus(WORDS, 2)
    found = match(left, right, k=20)
    after = rerank_matches(found, left, right, Letters(), k=3)
    assert after.left.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    for row, text in enumerate(["fax", "cozy", "dubious"]):
        candidates = found.right[found.left == row].tolist()
        best = sorted(candidates, key=lambda other: -share(text, WORDS[other]))[:3]
        assert after.right[after.left == row].tolist() == best


@pytest.mark.parametrize(("rows", "columns"), [(12, 12), (7, 12), (12, 7)])
def test_one_to_one_takes_the_largest_sum_of_the_scores(rows: int, columns: int) -> None:
    left, right = corpus(WORDS[3 : 3 + rows], 1), corpus(WORDS[::5][:columns], 2)
    table = np.array([[share(a.text, b.text) for b in right.texts] for a in left.texts])
    after = rerank_matches(match(left, right, k=100), left, right, Letters(), one_to_one=True)
    assert len({*after.left.tolist()}) == len({*after.right.tolist()}) == len(after) == min(rows, columns)
    assert after.rerank_scores is not None
    assert after.rerank_scores.sum() == pytest.approx(table[linear_sum_assignment(-table)].sum())


def test_one_to_one_pairs_as_many_as_candidates_allow() -> None:
    """Both left texts have one candidate each and a common one, which fits the first far better."""
    left, right = corpus(["ab", "cd"], 1), corpus(["ab", "xyz"], 2)
    left = Corpus(left.texts, similarity.unit(np.array([[1, 0.9], [1, 0]], np.float32)), "m@1")
    right = Corpus(right.texts, similarity.unit(np.array([[1, 0.1], [0, 1]], np.float32)), "m@1")
    found = match(left, right, k=2, threshold=0.5)
    assert [*zip(found.left.tolist(), found.right.tolist(), strict=True)] == [(0, 0), (0, 1), (1, 0)]
    after = rerank_matches(found, left, right, Letters(), one_to_one=True)
    assert [*zip(after.left.tolist(), after.right.tolist(), strict=True)] == [(0, 1), (1, 0)]


def test_a_refused_pair_is_left_out_and_told_with_its_place() -> None:
    queries, texts = corpus(["tea"], 1), corpus(["bad tea", "a tea", "bad sea", "seat"], 2)
    found = search(queries, texts, top_k=4)
    told: list[str] = []
    (after,) = rerank_results(found, queries, texts, Letters(), on_error=lambda exc: told.append(str(exc)))
    assert {*after.rows.tolist()} == {1, 3}
    assert sorted(told) == ["f.txt:1: is bad", "f.txt:3: is bad"]
    with pytest.raises(InputError, match="is bad"):
        rerank_results(found, queries, texts, Letters())


def test_progress_counts_every_pair() -> None:
    """More than are scored at once, some of them equal and some refused."""
    words = [*WORDS[:7], "bad"]
    pairs = [(f"{number % 300}", words[number % 8]) for number in range(2500)]
    done: list[int] = []

    @contextmanager
    def progress(what: str, *, total: Total = None, **more: object) -> Iterator[Callable[[int], None]]:
        assert (what, total) == ("scoring", 2500)
        yield done.append

    places = [Place("f", number) for number in range(2500)]
    told: list[str] = []
    scores = score_pairs(
        pairs, Letters(), places=places, on_error=lambda exc: told.append(str(exc)), progress=progress
    )
    assert sum(done) == 2500
    assert len(done) > 100
    assert told[0] == "f:7: is bad"
    assert len(told) == int(np.isnan(scores).sum()) == sum(second == "bad" for _, second in pairs)


def test_nothing_found_stays_nothing() -> None:
    queries, texts = corpus(["tea"], 1), corpus(WORDS, 2)
    (after,) = rerank_results(search(queries, texts, threshold=2), queries, texts, Letters())
    assert (len(after.rows), after.nearest_score < 1) == (0, True)
    assert rerank_results([], queries, texts, Letters()) == []
    nothing = match(queries, texts, threshold=2)
    for one_to_one in (False, True):
        after_all = rerank_matches(nothing, queries, texts, Letters(), one_to_one=one_to_one)
        assert (len(after_all), after_all.nearest_miss) == (0, nothing.nearest_miss)


def test_a_vector_without_its_text_cannot_be_reranked() -> None:
    queries, texts = corpus(["tea"], 1), corpus(["a tea", ""], 2)
    with pytest.raises(InputError, match="saved without its text"):
        rerank_results(search(queries, texts), queries, texts, Letters())
    with pytest.raises(InputError, match="saved without its text"):
        rerank_results(search(texts, queries), texts, queries, Letters())


def test_rows_are_scored_in_order_and_keep_their_place_if_asked() -> None:
    words = ["sea", "", "bad", "tee"]
    rows = [Row(str(n), "tea", word, Place("f", n), {}, not word) for n, word in enumerate(words, 1)]
    told: list[str] = []

    def tell(error: InputError) -> None:
        told.append(str(error))

    kept = [*score_rows(rows, Letters(), on_error=tell, keeps_failed=True)]
    scores = np.concatenate([batch.scores for batch in kept])
    assert scores == pytest.approx([2 / 3, np.nan, np.nan, 1], nan_ok=True)
    dropped = [*score_rows(rows, Letters(), on_error=tell)]
    assert [pair.right for batch in dropped for pair in batch.pairs] == ["sea", "tee"]
    assert told == ["f:3: is bad"] * 2

"""Matching: the nearest of each, and the pairing with the largest sum."""

from __future__ import annotations

from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from simil import similarity
from simil.errors import Place, UsageError
from simil.tasks.corpus import Corpus
from simil.tasks.matching import Matches, match, match_one_to_one
from simil.texts import Text


def corpus(vectors: NDArray[np.float32]) -> Corpus:
    texts = [Text(str(row), f"text {row}", Place("in", row), {}) for row in range(1, len(vectors) + 1)]
    return Corpus(texts, similarity.unit(vectors), "letters@1")


def random(rows: int, seed: int, dimensions: int = 16) -> Corpus:
    return corpus(np.random.default_rng(seed).normal(size=(rows, dimensions)).astype(np.float32))


def pairs(found: Matches) -> list[tuple[int, int]]:
    return list(zip(found.left.tolist(), found.right.tolist(), strict=True))


def test_each_row_gets_its_nearest() -> None:
    left, right = random(700, 1), random(300, 2)
    found = match(left, right)
    table = similarity.matrix(left.vectors, right.vectors)

    assert pairs(found) == list(enumerate(table.argmax(axis=1).tolist()))
    assert found.scores == pytest.approx(table.max(axis=1), abs=1e-6)
    assert found.nearest_miss is None


def test_several_nearest_that_reach_the_threshold() -> None:
    left, right = random(200, 1), random(300, 2)
    found = match(left, right, k=3, threshold=0.6)
    table = similarity.matrix(left.vectors, right.vectors)
    order = np.argsort(-table, axis=1, kind="stable")[:, :3]

    assert pairs(found) == [(i, j) for i in range(200) for j in order[i].tolist() if table[i, j] >= 0.6]
    assert 0 < len(found) < 600


def test_equal_rows_reach_one() -> None:
    both = random(50, 1)
    assert pairs(match_one_to_one(both, both, threshold=1 - 1e-6)) == [(row, row) for row in range(50)]
    assert pairs(match(both, both, threshold=1 - 1e-6)) == [(row, row) for row in range(50)]


@pytest.mark.parametrize(("rows", "columns"), [(800, 800), (300, 1100), (1100, 300)])
def test_one_to_one_is_the_assignment_of_scipy(rows: int, columns: int) -> None:
    left, right = random(rows, 1), random(columns, 2)
    found = match_one_to_one(left, right)
    table = (left.vectors.astype(np.float64) @ right.vectors.astype(np.float64).T).astype(np.float32)
    i, j = linear_sum_assignment(table, maximize=True)

    assert pairs(found) == list(zip(i.tolist(), j.tolist(), strict=True))
    assert found.scores.tolist() == table[i, j].tolist()


def best_sum(table: NDArray[np.float64], limit: float) -> float:
    """The largest sum of scores that pairs can have, each row and column in one at most; by trying all."""
    rows, columns = table.shape
    floor = max(0.0, -limit)
    return max(
        sum(table[i, j] + floor for i, j in zip(some, chosen, strict=True))
        for size in range(min(rows, columns) + 1)
        for some in combinations(range(rows), size)
        for chosen in permutations(range(columns), size)
        if all(table[i, j] >= limit for i, j in zip(some, chosen, strict=True))
    )


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 4), st.integers(1, 5), st.integers(0, 10**6), st.floats(-0.9, 0.9))
def test_under_a_threshold_no_pairing_has_a_larger_sum(
    rows: int, columns: int, seed: int, threshold: float
) -> None:
    left, right = random(rows, seed, 3), random(columns, seed + 1, 3)
    found = match_one_to_one(left, right, threshold=threshold)
    table = similarity.matrix(left.vectors, right.vectors).astype(np.float64)

    assert len(set(found.left.tolist())) == len(set(found.right.tolist())) == len(found)
    assert (found.scores >= np.float32(threshold)).all()
    total = float(found.scores.sum(dtype=np.float64)) + max(0.0, -threshold) * len(found)
    assert total == pytest.approx(best_sum(table, threshold), abs=1e-5)
    assert found.left.tolist() == sorted(found.left.tolist())


@pytest.mark.parametrize("one_to_one", [False, True])
@pytest.mark.parametrize(("rows", "columns"), [(3, 5), (5, 3)])
def test_where_nothing_matches_the_nearest_pair_is_told(one_to_one: bool, rows: int, columns: int) -> None:
    left, right = random(rows, 1), random(columns, 2)
    find = match_one_to_one if one_to_one else match
    found = find(left, right, threshold=0.99)
    table = similarity.matrix(left.vectors, right.vectors)

    assert len(found) == 0
    assert found.nearest_miss is not None
    a, b, score = found.nearest_miss
    assert (a, b) == np.unravel_index(table.argmax(), table.shape)
    assert score == pytest.approx(table.max(), abs=1e-6)


@pytest.mark.parametrize(("rows", "columns"), [(0, 3), (3, 0), (0, 0)])
def test_nothing_matches_nothing(rows: int, columns: int) -> None:
    for find in (match, match_one_to_one):
        found = find(random(rows, 1), random(columns, 2))
        assert (len(found), found.nearest_miss) == (0, None)


def test_more_pairs_than_memory_is_given_to_are_refused_before_it_is_taken() -> None:
    # One row a thousand times over: views take no memory themselves.
    vectors = np.broadcast_to(np.array([0.6, 0.8], np.float32), (20_000, 2))
    large = Corpus([Text("1", "x", Place("in", 1), {})] * 20_000, vectors, None)

    said = r"20000 rows with 20000 one to one takes 3\.0 GiB, more than 2; match parts"
    with pytest.raises(UsageError, match=said):
        match_one_to_one(large, large)

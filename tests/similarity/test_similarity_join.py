"""`matches_above` and `representatives`, held against loops over every pair."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.printed import reaches

from simil import similarity
from simil.errors import InputError
from simil.similarity import Metric

seeds = st.integers(0, 2**32 - 1)


def crowded(rows: int, columns: int, seed: int, places: int = 5) -> Any:
    """Unit rows around a few places, so that there are groups, chains and copies."""
    random = np.random.default_rng(seed)
    centres = random.standard_normal((places, columns))
    noise = random.choice([0, 0.3, 1.0], (rows, 1)) * random.standard_normal((rows, columns))
    return similarity.unit(centres[random.integers(0, places, rows)] + noise)


def scores_of(left: Any, right: Any) -> Any:
    every = np.indices((len(left), len(right))).reshape(2, -1)
    return similarity.pairwise(left[every[0]], right[every[1]], Metric.DOT).reshape(len(left), len(right))


def first_come(vectors: Any, threshold: float) -> tuple[list[int], list[float]]:
    """The rule as one reads it: a row after the other, each given to the nearest that stands for itself."""
    scores = scores_of(vectors, vectors) if len(vectors) else np.empty((0, 0), np.float32)
    owner: list[int] = []
    best: list[float] = []
    for row in range(len(vectors)):
        near = [
            (-scores[other, row], other)
            for other in range(row)
            if owner[other] == other and reaches(scores[other, row], threshold)
        ]
        owner.append(min(near)[1] if near else row)
        best.append(-min(near)[0] if near else 1.0)
    return owner, best


@given(
    rows=st.integers(0, 60),
    columns=st.integers(2, 6),
    seed=seeds,
    threshold=st.sampled_from([-1.0, 0.3, 0.7, 0.9, 0.99, 1.0]),
    block_rows=st.integers(1, 70),
)
def test_each_row_goes_to_the_nearest_that_came_first(
    rows: int, columns: int, seed: int, threshold: float, block_rows: int
) -> None:
    vectors = crowded(rows, columns, seed)
    owner, best = similarity.representatives(vectors, threshold, block_rows=block_rows)
    expected_owner, expected_best = first_come(vectors, threshold)
    assert (owner.dtype, best.dtype) == (np.int64, np.float32)
    np.testing.assert_array_equal(owner, expected_owner)
    np.testing.assert_array_equal(best, np.array(expected_best, np.float32))


@pytest.mark.parametrize("block_rows", [1, 7, 100])
def test_a_chain_does_not_draw_its_ends_together(block_rows: int) -> None:
    angles = np.arange(10) * 0.1  # cos 0.1 is 0.995, cos 0.2 is 0.980
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    owner, best = similarity.representatives(vectors, 0.99, block_rows=block_rows)
    np.testing.assert_array_equal(owner, [0, 0, 2, 2, 4, 4, 6, 6, 8, 8])
    assert (best >= np.float32(0.99)).all()


def test_many_copies_cost_no_pairs() -> None:
    vectors = np.tile(crowded(1, 8, 3), (20_000, 1))
    owner, best = similarity.representatives(vectors, 0.9)
    assert not owner.any()
    np.testing.assert_allclose(best, 1, rtol=1e-6)


@given(
    left=st.integers(0, 40),
    right=st.integers(0, 40),
    columns=st.integers(2, 5),
    seed=seeds,
    threshold=st.sampled_from([-1.0, 0.5, 0.9, 1.0]),
    block_rows=st.integers(1, 50),
)
def test_matches_are_all_that_reach(
    left: int, right: int, columns: int, seed: int, threshold: float, block_rows: int
) -> None:
    first, second = crowded(left, columns, seed), crowded(right, columns, seed)
    found: dict[tuple[int, int], float] = {}
    for i, j, scores in similarity.matches_above(first, second, threshold, block_rows=block_rows):
        assert len(i) == len(j) == len(scores) > 0
        assert (i.dtype, j.dtype, scores.dtype) == (np.int64, np.int64, np.float32)
        found.update(zip(zip(i.tolist(), j.tolist(), strict=True), scores.tolist(), strict=True))
    scores = scores_of(first, second) if left and right else np.empty((left, right), np.float32)
    expected = {(i, j): float(score) for (i, j), score in np.ndenumerate(scores) if reaches(score, threshold)}
    assert found == expected


@pytest.mark.parametrize("bad", [0.0, np.nan, np.inf])
def test_a_bad_row_is_named(bad: float) -> None:
    vectors = crowded(50, 4, 1)
    vectors[41] = bad
    with pytest.raises(InputError, match="vector 42 is"):
        similarity.representatives(vectors, 0.5, block_rows=20)
    with pytest.raises(InputError, match="vector 42 is"):
        list(similarity.matches_above(vectors[:3], vectors, 0.5, block_rows=20))
    with pytest.raises(InputError, match="vector 42 is"):
        list(similarity.matches_above(vectors, vectors[:3], 0.5, block_rows=20))


def test_a_threshold_is_a_number_and_tables_fit() -> None:
    with pytest.raises(InputError, match="not a number"):
        similarity.representatives(crowded(3, 4, 1), float("nan"))
    with pytest.raises(InputError, match="dimensions"):
        list(similarity.matches_above(crowded(3, 4, 1), crowded(3, 5, 1), 0.5))

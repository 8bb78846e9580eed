"""HDBSCAN, compared with scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.cluster import HDBSCAN
from sklearn.metrics import adjusted_rand_score

from simil.tasks.hdbscan import hdbscan


def _theirs(points: NDArray[np.floating], min_size: int) -> NDArray[np.int64]:
    return HDBSCAN(min_cluster_size=min_size, min_samples=1, copy=True).fit(points).labels_  # type: ignore[no-any-return]


def _check_same(points: NDArray[np.floating], min_size: int) -> None:
    ours, theirs = hdbscan(points, min_size), _theirs(points, min_size)
    np.testing.assert_array_equal(ours == -1, theirs == -1)
    assert adjusted_rand_score(ours, theirs) == 1
    names = set(ours.tolist()) - {-1}
    assert names == set(range(len(names)))


@given(st.integers(0, 10**6), st.integers(2, 120), st.integers(1, 8), st.integers(2, 9), st.booleans())
def test_labels_are_those_of_scikit_learn(
    seed: int, count: int, dimensions: int, min_size: int, single: bool
) -> None:
    random = np.random.default_rng(seed)
    centres = random.standard_normal((6, dimensions))
    points = centres[random.integers(0, 6, count)] + 0.3 * random.standard_normal((count, dimensions))

    _check_same(points.astype(np.float32) if single else points, min(min_size, count))


def test_more_points_than_a_block() -> None:
    random = np.random.default_rng(1)
    points = random.standard_normal((1500, 3))

    _check_same(points, 4)


def test_many_copies() -> None:
    random = np.random.default_rng(2)
    different = random.standard_normal((40, 5))
    points = different[random.integers(0, 40, 400)]

    found = hdbscan(points, 5)

    assert adjusted_rand_score(found, _theirs(points, 5)) == 1
    for point in different:
        copies = found[(points == point).all(axis=1)]
        assert len(set(copies.tolist())) <= 1
        assert len(copies) < 5 or copies[0] >= 0


@pytest.mark.parametrize("points", [[[0.0], [1]], [[0.0], [0]], [[0.0], [0], [0]], [[1.0], [2], [3], [4]]])
def test_where_there_is_nothing_to_divide_there_is_no_cluster(points: list[list[float]]) -> None:
    assert hdbscan(np.array(points), 2).tolist() == [-1] * len(points)


def test_ties_have_one_result() -> None:
    corners = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    points = np.concatenate([corners, corners + 10, corners - [30, 0]]).astype(np.float64)

    found = hdbscan(points, 4)

    assert adjusted_rand_score(found, np.repeat([0, 1, 2], 4)) == 1
    np.testing.assert_array_equal(found, hdbscan(points, 4))

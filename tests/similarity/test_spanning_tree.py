"""Minimum spanning trees and principal components, compared with those of SciPy and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree
from scipy.spatial.distance import pdist, squareform
from sklearn.decomposition import PCA

from simil.similarity import count_different, first_equal, principal_components, spanning_tree


def _check_tree(points: NDArray[np.floating]) -> None:
    left, right, lengths = spanning_tree(points)
    exact = points.astype(np.float64)
    np.testing.assert_allclose(lengths, np.linalg.norm(exact[left] - exact[right], axis=1), rtol=1e-12)
    assert (np.diff(lengths) >= 0).all()
    joined = np.zeros((len(points), len(points)))
    joined[left, right] = 1
    assert len(lengths) == len(points) - 1
    assert connected_components(joined, directed=False)[0] == 1
    # SciPy takes 0 for a missing edge, so all are longer by 1, which changes no tree.
    distances = squareform(pdist(exact) + 1)
    expected = np.sort(minimum_spanning_tree(distances).data) - 1
    np.testing.assert_allclose(lengths, expected, atol=1e-12)


@given(st.integers(0, 10**6), st.integers(1, 80), st.integers(1, 6), st.sampled_from(["far", "ties", "near"]))
def test_the_tree_is_minimal(seed: int, count: int, dimensions: int, kind: str) -> None:
    random = np.random.default_rng(seed)
    points = random.standard_normal((count, dimensions))
    if kind == "ties":
        points = random.integers(-1, 2, (count, dimensions)).astype(np.float64)
    elif kind == "near":  # by float32 products, these are all equal
        points = 1000 + 1e-5 * points
        points[: count // 3] += 1

    _check_tree(points)


def test_groups_larger_than_a_block_of_columns() -> None:
    random = np.random.default_rng(1)

    _check_tree(random.standard_normal((1200, 2)) + 1000 * (np.arange(1200)[:, None] % 12 == 0))


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_points_of_any_size(scale: float) -> None:
    points = np.random.default_rng(3).standard_normal((50, 4))

    left, right, lengths = spanning_tree(scale * points)

    expected = spanning_tree(points)
    np.testing.assert_array_equal([left, right], expected[:2])
    np.testing.assert_allclose(lengths, scale * expected[2], rtol=1e-12)


def test_copies_are_found() -> None:
    rows = np.array([[1, 0], [0, 1], [1, -0.0], [0, 1], [2, 2]], np.float32)

    assert first_equal(rows).tolist() == [0, 1, 0, 1, 4]
    assert [count_different(rows, enough) for enough in (1, 2, 9)] == [1, 2, 3]


@pytest.mark.parametrize(("count", "dimensions"), [(200, 60), (30, 60), (300, 1100)])
def test_principal_components_are_those_of_scikit_learn(count: int, dimensions: int) -> None:
    random = np.random.default_rng(2)
    scales = 0.7 ** np.arange(dimensions)
    vectors = (random.standard_normal((count, dimensions)) * scales + 3).astype(np.float32)

    points, share = principal_components(vectors, 8)

    expected = PCA(8, svd_solver="full").fit(vectors.astype(np.float64))
    np.testing.assert_allclose(np.abs(points), np.abs(expected.transform(vectors)), atol=1e-4)
    assert share == pytest.approx(expected.explained_variance_ratio_.sum(), abs=1e-6)

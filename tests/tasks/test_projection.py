"""Vectors in two dimensions: PCA as scikit-learn computes it, UMAP, and the same points every time."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from simil.errors import ExtraMissing, UsageError
from simil.tasks.projection import check_projection, project


def _vectors(count: int, width: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    # Directions that differ in weight: else the two first ones are nobody's in particular.
    drawn = rng.normal(size=(count, width)) * 0.7 ** np.arange(width) + 0.3
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize(("count", "width"), [(200, 32), (20, 64), (3, 8), (40, 40)])
def test_pca_is_that_of_scikit_learn(count: int, width: int) -> None:
    vectors = _vectors(count, width)
    found = project(vectors, "pca")
    reference = PCA(2, svd_solver="full").fit(vectors.astype(np.float64))
    points = reference.transform(vectors.astype(np.float64))
    signs = np.sign((points * found.points).sum(axis=0))

    assert found.points.dtype == np.float32
    np.testing.assert_allclose(found.points, points * signs, atol=1e-5)
    assert found.method == f"PCA ({reference.explained_variance_ratio_.sum():.0%} of the variance)"


@given(st.integers(0, 12), st.integers(1, 12), st.integers(0, 99))
def test_pca_takes_any_vectors(count: int, width: int, seed: int) -> None:
    vectors = _vectors(count, width, seed)
    found = project(vectors)

    assert found.points.shape == (count, 2)
    assert np.isfinite(found.points).all()
    assert np.array_equal(found.points, project(vectors).points)


def test_equal_vectors_are_one_point() -> None:
    assert project(np.ones((5, 8), np.float32)).points.any() == np.False_


def test_umap_gives_the_same_points_and_keeps_groups_together() -> None:
    rng = np.random.default_rng(1)
    centres = np.eye(3, 16).repeat(15, axis=0)
    vectors = (centres + rng.normal(scale=0.05, size=centres.shape)).astype(np.float32)
    points = project(vectors, "umap").points
    groups = points.reshape(3, 15, 2)
    middles = groups.mean(axis=1)
    spread = np.linalg.norm(groups - middles[:, None], axis=2).max()
    apart = min(np.linalg.norm(middles[a] - middles[b]) for a, b in ((0, 1), (0, 2), (1, 2)))

    assert np.array_equal(points, project(vectors, "umap").points)
    assert spread < apart


@pytest.mark.parametrize("count", [4, 5, 16, 17])
def test_umap_takes_few_vectors(count: int) -> None:
    points = project(_vectors(count, 8), "umap").points

    assert points.shape == (count, 2)
    assert np.isfinite(points).all()


def test_umap_refuses_fewer_than_four() -> None:
    with pytest.raises(UsageError, match="at least 4 texts; use --projection pca"):
        project(_vectors(3, 8), "umap")


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(UsageError, match="choose one of pca, umap"):
        check_projection("tsne")


def test_where_umap_is_not_installed_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    # Documented: makes an import fail as if nothing were installed.
    monkeypatch.setitem(sys.modules, "umap", None)

    with pytest.raises(ExtraMissing, match=r"pip install 'simil-cli\[umap\]'"):
        check_projection("umap")

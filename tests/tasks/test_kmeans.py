"""k-means, compared with scikit-learn's best of ten starts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.cluster import KMeans

from simil import similarity
from simil.tasks.kmeans import kmeans
from simil.tasks.partition import CentredRows, Partition


def _inertia(vectors: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    exact = vectors.astype(np.float64)
    return float(
        sum(((exact[labels == name] - exact[labels == name].mean(axis=0)) ** 2).sum() for name in set(labels))
    )


def _made(kind: str, count: int, dimensions: int) -> NDArray[np.float32]:
    random = np.random.default_rng(len(kind) + count)
    noise = random.standard_normal((count, dimensions))
    if kind == "random":
        return similarity.unit(noise)
    centres = random.standard_normal((15, dimensions))
    of = random.choice(15, count, p=random.dirichlet(np.full(15, 1.0)))
    if kind == "copies":
        return similarity.unit(np.repeat(noise[: count // 5], 5, axis=0))
    return similarity.unit(centres[of] + (0.5 if kind == "topics" else 1.5) * noise)


@pytest.mark.parametrize("kind", ["random", "topics", "mixed topics", "copies"])
@pytest.mark.parametrize(("count", "dimensions", "clusters"), [(60, 20, 12), (900, 32, 12), (900, 32, 40)])
def test_the_inertia_is_no_higher(kind: str, count: int, dimensions: int, clusters: int) -> None:
    vectors = _made(kind, count, dimensions)

    found = kmeans(vectors, clusters)

    theirs = KMeans(clusters, n_init=10, random_state=0).fit(vectors).labels_
    assert len(set(found)) == clusters
    assert _inertia(vectors, found) <= _inertia(vectors, theirs) * (1 + 1e-6)


def test_more_vectors_than_the_sample() -> None:
    vectors = _made("mixed topics", 3000, 16)

    found = kmeans(vectors, 15)

    theirs = KMeans(15, n_init=10, random_state=0).fit(vectors).labels_
    assert _inertia(vectors, found) <= _inertia(vectors, theirs) * (1 + 1e-6)


@given(st.integers(0, 10**6), st.integers(1, 60), st.integers(1, 60), st.integers(1, 9), st.booleans())
def test_every_vector_is_in_the_cluster_of_the_nearest_mean(
    seed: int, count: int, clusters: int, dimensions: int, small: bool
) -> None:
    random = np.random.default_rng(seed)
    # A few values only, so that many rows are equal or equally far; not of length 1.
    values = (
        random.integers(-1, 2, (count, dimensions)) if small else random.normal(5, 2, (count, dimensions))
    )
    vectors = values.astype(np.float32)
    clusters = min(clusters, similarity.count_different(vectors, count))

    found = kmeans(vectors, clusters)

    exact = vectors.astype(np.float64)
    assert sorted(set(found.tolist())) == list(range(clusters))
    means = np.stack([exact[found == name].mean(axis=0) for name in range(clusters)])
    distances = ((exact[:, None] - means) ** 2).sum(axis=2)
    own = distances[np.arange(count), found]
    assert (own <= distances.min(axis=1) + 1e-4).all()


@pytest.mark.parametrize("clusters", [1, 7, 30])
def test_copies_are_together_and_each_different_vector_can_be_alone(clusters: int) -> None:
    vectors = _made("copies", 150, 8)

    found = kmeans(vectors, clusters)

    np.testing.assert_array_equal(found[0::5], found[4::5])
    assert len(set(found)) == clusters


def test_vectors_that_are_almost_equal_are_told_apart() -> None:
    random = np.random.default_rng(3)
    centres = random.standard_normal((3, 64))
    of = np.arange(300) % 3
    near = 1 + 1e-4 * centres[of] + 1e-6 * random.standard_normal((300, 64))

    found = kmeans(similarity.unit(near), 3)

    assert [len(set(found[of == topic])) for topic in range(3)] == [1, 1, 1]
    assert len(set(found)) == 3


def test_the_same_in_every_run_and_with_any_number_of_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = _made("random", 400, 24)
    first = kmeans(vectors, 9)

    np.testing.assert_array_equal(kmeans(vectors, 9), first)
    monkeypatch.setattr("simil.tasks.kmeans.cores", lambda: 1)
    np.testing.assert_array_equal(kmeans(vectors, 9), first)


def test_means_without_a_vector_get_the_farthest() -> None:
    rows = CentredRows(np.array([[0], [1], [5], [9]], np.float32), np.array([0, 1, 25, 81], np.float32))

    partition = Partition.around(rows, np.array([[0.4], [100], [200]], np.float32))

    assert partition.labels.tolist() == [0, 0, 2, 1]
    assert partition.means().ravel().tolist() == [0.5, 9, 5]
    assert partition.value == pytest.approx(0.5 + 81 + 25)

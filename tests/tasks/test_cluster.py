"""Clusters, held against scikit-learn called directly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.cluster import HDBSCAN, KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score, silhouette_score

from simil import similarity
from simil.errors import InputError, Place, UsageError
from simil.tasks.clustering import Clustering, ClusteringMethod, cluster, default_min_size
from simil.tasks.communities import communities
from simil.tasks.corpus import Corpus
from simil.texts import Text


def _corpus(vectors: NDArray[np.floating], texts: list[str] | None = None) -> Corpus:
    names = texts or [f"text {row}" for row in range(len(vectors))]
    return Corpus(
        [Text(str(row), text, Place("made.txt", row), {}) for row, text in enumerate(names, 1)],
        similarity.unit(vectors),
        "made@1",
    )


def _topics(seed: int, count: int, dimensions: int, topics: int, noise: float = 0.7) -> NDArray[np.float32]:
    random = np.random.default_rng(seed)
    centres = random.standard_normal((topics, dimensions))
    of = random.choice(topics, count, p=random.dirichlet(np.full(topics, 2.0)))
    return similarity.unit(centres[of] + noise * random.standard_normal((count, dimensions)))


def _renamed(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Labels as ours are: from 1, the largest first, of equal ones that with the earliest row."""
    names = [name for name in np.unique(labels) if name >= 0]
    names.sort(key=lambda name: (-(labels == name).sum(), int((labels == name).argmax())))
    new = np.full(len(labels), -1)
    for number, name in enumerate(names, 1):
        new[labels == name] = number
    return new


def _check_shape(result: Clustering) -> None:
    """What holds for every clustering."""
    vectors = result.corpus.vectors.astype(np.float64)
    assert result.labels.dtype == np.int64
    assert result.scores.dtype == result.centroids.dtype == np.float32
    assert [found.number for found in result.clusters] == list(range(1, len(result.clusters) + 1))
    assert [found.size for found in result.clusters] == sorted(
        (found.size for found in result.clusters), reverse=True
    )
    assert len(result.outside) + sum(found.size for found in result.clusters) == len(result.corpus)
    assert np.isnan(result.scores[result.outside]).all()
    for found, centroid in zip(result.clusters, result.centroids, strict=True):
        rows = np.flatnonzero(result.labels == found.number)
        mean = vectors[rows].mean(axis=0)
        expected = vectors[rows] @ mean / np.linalg.norm(mean)
        np.testing.assert_allclose(centroid, mean / np.linalg.norm(mean), atol=1e-6)
        np.testing.assert_allclose(result.scores[rows], expected, atol=1e-6)
        assert sorted(found.rows.tolist()) == rows.tolist()
        assert (np.diff(result.scores[found.rows]) <= 0).all()
        assert found.medoid == found.rows[0]
        assert found.cohesion == pytest.approx(expected.mean(), abs=1e-6)


@pytest.mark.parametrize("clusters", [1, 2, 6])
def test_kmeans_is_that_of_scikit_learn(clusters: int) -> None:
    corpus = _corpus(_topics(1, 1500, 48, clusters, noise=0.3))

    result = cluster(corpus, clusters=clusters)

    direct = KMeans(clusters, n_init=10, random_state=0).fit(corpus.vectors)
    assert result.method is ClusteringMethod.KMEANS
    np.testing.assert_array_equal(result.labels, _renamed(direct.labels_))
    _check_shape(result)
    if clusters > 1:
        expected = silhouette_score(corpus.vectors, direct.labels_, metric="cosine")
        assert result.silhouette == pytest.approx(expected, abs=1e-6)
    else:
        assert result.silhouette is None


@pytest.mark.parametrize("min_size", [None, 2, 15])
def test_hdbscan_is_that_of_scikit_learn(min_size: int | None) -> None:
    corpus = _corpus(_topics(2, 800, 40, 10, noise=0.5))

    result = cluster(corpus, min_size=min_size)

    direct = HDBSCAN(min_cluster_size=min_size or 5, min_samples=1, copy=True).fit(corpus.vectors)
    assert result.method is ClusteringMethod.HDBSCAN
    np.testing.assert_array_equal(result.labels, _renamed(direct.labels_))
    _check_shape(result)
    inside = direct.labels_ >= 0
    expected = silhouette_score(corpus.vectors[inside], direct.labels_[inside], metric="cosine")
    assert result.silhouette == pytest.approx(expected, abs=1e-6)


def test_hdbscan_works_on_the_50_dimensions_that_matter() -> None:
    corpus = _corpus(_topics(3, 600, 200, 6, noise=0.4))

    result = cluster(corpus)

    fewer = PCA(50, random_state=0).fit_transform(corpus.vectors)
    direct = HDBSCAN(min_cluster_size=5, min_samples=1, copy=True).fit(fewer)
    np.testing.assert_array_equal(result.labels, _renamed(direct.labels_))
    _check_shape(result)


def test_copies_are_in_the_same_cluster_whatever_the_principal_components() -> None:
    vectors = _topics(8, 90, 60, 30)
    corpus = _corpus(np.concatenate([vectors, vectors[:40], vectors[:40]]))

    result = cluster(corpus, min_size=3)

    assert len(result.clusters) >= 40
    np.testing.assert_array_equal(result.labels[:40], result.labels[90:130])
    np.testing.assert_array_equal(result.labels[:40], result.labels[130:])


def test_topics_that_are_apart_are_found() -> None:
    random = np.random.default_rng(4)
    of = np.repeat(np.arange(6), [60, 50, 40, 30, 20, 10])
    centres = random.standard_normal((6, 384))
    corpus = _corpus(centres[of] + 0.3 * random.standard_normal((len(of), 384)))

    for result in (cluster(corpus), cluster(corpus, clusters=6), cluster(corpus, threshold=0.7)):
        assert [found.size for found in result.clusters] == [60, 50, 40, 30, 20, 10]
        assert adjusted_rand_score(of, result.labels) == 1
        assert result.silhouette is not None and result.silhouette > 0.7


def test_communities_keep_their_order() -> None:
    corpus = _corpus(_topics(5, 1500, 32, 25))

    result = cluster(corpus, threshold=0.6, min_size=4)

    expected = communities(corpus.vectors, 0.6, 4)
    assert result.method is ClusteringMethod.COMMUNITIES
    assert len(expected) > 5
    assert [sorted(found.rows.tolist()) for found in result.clusters] == [
        sorted(group.tolist()) for group in expected
    ]
    _check_shape(result)


@given(st.integers(0, 10**6), st.integers(2, 40), st.integers(1, 4), st.sampled_from(["n", "threshold", ""]))
def test_whatever_the_texts_are(seed: int, count: int, topics: int, how: str) -> None:
    corpus = _corpus(_topics(seed, count, 6, topics))
    if how == "n":
        result = cluster(corpus, clusters=min(topics, count))
    else:
        result = cluster(corpus, threshold=0.5 if how else None)

    _check_shape(result)
    if how == "n":
        assert len(result.clusters) == min(topics, count)
        assert not len(result.outside)


def test_words_and_medoid_say_what_a_cluster_is_about() -> None:
    vectors = np.repeat(np.eye(3), [4, 3, 1], axis=0) + 0.01 * np.arange(24).reshape(8, 3)
    texts = [
        "a game with tanks", "an arcade game", "the game of cards", "arcade game",
        "perl module", "module for perl", "perl and files",
        "a lonely text",
    ]  # fmt: skip

    result = cluster(_corpus(vectors, texts), threshold=0.95, min_size=2)

    assert [list(found.words)[:2] for found in result.clusters] == [["game", "arcade"], ["perl", "module"]]
    assert result.outside.tolist() == [7]
    scores = result.scores[:4]
    assert result.clusters[0].medoid == int(scores.argmax())


def test_vectors_that_cancel_out_have_no_centre() -> None:
    result = cluster(_corpus(np.array([[1.0, 0], [-1, 0]])), clusters=1)

    assert result.scores.tolist() == [0, 0]
    assert result.centroids.tolist() == [[0, 0]]
    assert result.clusters[0].rows.tolist() == [0, 1]


@pytest.mark.parametrize("threshold", [0.7, 0.95])
def test_the_silhouette_is_that_of_scikit_learn(threshold: float) -> None:
    corpus = _corpus(_topics(6, 300, 4, 2, noise=0.3))

    result = cluster(corpus, threshold=threshold, min_size=1)

    inside = np.flatnonzero(result.labels > 0)
    expected = silhouette_score(corpus.vectors[inside], result.labels[inside], metric="cosine")
    assert result.silhouette == pytest.approx(expected, abs=1e-6)


def test_a_silhouette_is_not_defined_for_clusters_of_one() -> None:
    corpus = _corpus(np.eye(3))

    assert cluster(corpus, clusters=3).silhouette is None
    assert cluster(corpus, threshold=0.5, min_size=1).silhouette is None


@pytest.mark.parametrize(
    ("texts", "size"), [(2, 2), (10, 2), (29, 2), (30, 3), (49, 4), (50, 5), (10_000, 5)]
)
def test_few_texts_may_have_small_clusters(texts: int, size: int) -> None:
    assert default_min_size(texts) == size


def test_nothing_is_found_where_nothing_is_near() -> None:
    corpus = _corpus(np.eye(8))

    for result in (cluster(corpus), cluster(corpus, threshold=0.5), cluster(corpus, min_size=9)):
        assert (result.labels == -1).all()
        assert result.clusters == []
        assert result.centroids.shape == (0, 8)
        assert result.silhouette is None
        assert result.outside.tolist() == list(range(8))


def test_copies_are_one_cluster_where_a_number_or_a_threshold_is_given() -> None:
    corpus = _corpus(np.ones((6, 3)))

    for result in (cluster(corpus, clusters=1), cluster(corpus, threshold=1)):
        assert result.labels.tolist() == [1] * 6
        np.testing.assert_allclose(result.scores, 1)
    with pytest.raises(InputError, match="all 6 texts are alike"):
        cluster(corpus)


@pytest.mark.parametrize(
    ("count", "options", "message"),
    [
        (0, {}, "there is nothing to cluster"),
        (0, {"clusters": 2}, "there is nothing to cluster"),
        (1, {}, "there is only one text to cluster"),
        (1, {"threshold": 0.5}, "there is only one text to cluster"),
        (1, {"clusters": 2}, "1 text cannot make 2 clusters"),
        (5, {"clusters": 6}, "5 texts cannot make 6 clusters"),
        (5, {"clusters": 0}, "there cannot be 0 clusters"),
        (5, {"threshold": 1.5}, "no cosine similarity reaches 1.5"),
        (5, {"threshold": float("nan")}, "no cosine similarity reaches nan"),
        (5, {"threshold": 0.5, "clusters": 2}, "contradict each other"),
        (5, {"min_size": 1}, "HDBSCAN finds no clusters of one text"),
    ],
)
def test_what_cannot_be_done(count: int, options: dict[str, float], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        cluster(_corpus(np.eye(5)[:count]), **options)  # type: ignore[arg-type]


def test_too_few_different_texts() -> None:
    vectors = np.repeat(np.eye(2), 5, axis=0)

    with pytest.raises(UsageError, match="10 texts with only 2 different vectors cannot make 3 clusters"):
        cluster(_corpus(vectors), clusters=3)

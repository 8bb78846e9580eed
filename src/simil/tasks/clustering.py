"""Clustering: groups of similar texts, a given number of them or as many as there are."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from simil import similarity
from simil.errors import InputError, NothingGiven, UsageError
from simil.similarity import Metric
from simil.tasks.communities import communities
from simil.tasks.corpus import Corpus
from simil.tasks.hdbscan import hdbscan
from simil.tasks.kmeans import kmeans
from simil.tasks.silhouette import mean_silhouette
from simil.tasks.terms import distinctive_words

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "NONE",
    "Cluster",
    "Clustering",
    "ClusteringMethod",
    "by_size",
    "check_asked",
    "cluster",
    "default_min_size",
    "too_few_different",
]

log = logging.getLogger("simil")

NONE = -1
"""The label of a text in no cluster."""

_DIMENSIONS = 50  # with more, density means little and distances cost more
_PER_MINUTE = 100_000  # texts that take HDBSCAN about a minute


class ClusteringMethod(StrEnum):
    """How clusters are found."""

    KMEANS = "k-means"
    HDBSCAN = "hdbscan"
    COMMUNITIES = "communities"


@dataclass(frozen=True, eq=False, slots=True)
class Cluster:
    """A cluster of texts.

    `number` counts from 1, largest cluster first; `rows` int64 [size] are its texts in the corpus, nearest
    to the centroid first; `cohesion` is their mean cosine similarity to it; `words` are the most distinctive
    words of its texts.
    """

    number: int
    rows: NDArray[np.int64]
    words: Sequence[str]
    cohesion: np.float32

    @property
    def size(self) -> int:
        """The number of texts."""
        return len(self.rows)

    @property
    def medoid(self) -> int:
        """The row of the text nearest to the centroid."""
        return int(self.rows[0])


@dataclass(frozen=True, eq=False, slots=True)
class Clustering:
    """Texts and their clusters.

    `labels` int64 [n] are cluster numbers, -1 for a text in none; `scores` float32 [n] are cosine
    similarities to the centroid, NaN for a text in none; `centroids` float32 [clusters, d] are the mean
    vectors, of length 1. `silhouette` (by cosine, of the texts in clusters, from -1 to 1) is None if
    undefined.
    """

    corpus: Corpus
    method: ClusteringMethod
    labels: NDArray[np.int64]
    scores: NDArray[np.float32]
    centroids: NDArray[np.float32]
    clusters: Sequence[Cluster]
    silhouette: np.float32 | None

    @property
    def outside(self) -> NDArray[np.int64]:
        """The rows in no cluster, ascending."""
        import numpy as np

        return np.flatnonzero(self.labels == NONE)


def cluster(
    corpus: Corpus,
    *,
    clusters: int | None = None,
    threshold: float | None = None,
    min_size: int | None = None,
) -> Clustering:
    """Return the clusters of a corpus; there may be none.

    `clusters` is their number, for k-means; with `threshold`, a cluster is a text and all texts that have at
    least this cosine similarity to it (`communities`); with neither, HDBSCAN finds their number. The last two
    leave texts out, and their clusters have at least `min_size` texts. A text of which the model knows
    nothing is in a cluster only with its equals, and with `clusters` in none.

    Raises `UsageError` for fewer than two texts, for more clusters than different texts, and for a threshold
    that no cosine reaches; `InputError` if HDBSCAN gets only copies of one text.
    """
    import numpy as np

    vectors = corpus.vectors
    check_asked(clusters, threshold, min_size)
    known, known_vectors = corpus.known()
    _check_count(len(corpus), len(known), clusters)
    size = min_size or default_min_size(len(corpus))
    if clusters is not None:
        method, found = ClusteringMethod.KMEANS, by_size(_kmeans(known_vectors, clusters))
    elif threshold is not None:
        method, found = ClusteringMethod.COMMUNITIES, communities(known_vectors, threshold, size)
    else:
        method, found = ClusteringMethod.HDBSCAN, by_size(_hdbscan(known_vectors, size))
    found = [known[rows] for rows in found]
    if clusters is None:
        found = sorted([*found, *_copies(corpus, size)], key=len, reverse=True)
    labels = np.full(len(corpus), NONE, np.int64)
    for number, rows in enumerate(found, 1):
        labels[rows] = number
    scores = np.full(len(corpus), np.nan, np.float32)
    centroids = np.empty((len(found), vectors.shape[1]), np.float32)
    for index, rows in enumerate(found):
        centroids[index], scores[rows] = _centroid(vectors[rows])
    described = _described(corpus, labels, scores)
    return Clustering(corpus, method, labels, scores, centroids, described, _silhouette(vectors, labels))


def default_min_size(texts: int) -> int:
    """Return the default minimum size of a cluster: 5, or 2 to 4 for fewer than 50 texts."""
    return max(2, min(5, texts // 10))


def check_asked(clusters: int | None, threshold: float | None, min_size: int | None) -> None:
    """Raise `UsageError` for options of `cluster` that are wrong for any texts."""
    if clusters is not None and threshold is not None:
        raise UsageError(
            "a number of clusters and a threshold contradict each other", hint="give one of them"
        )
    if threshold is not None and not -1 <= threshold <= 1:
        raise UsageError(f"no cosine similarity reaches {threshold:g}", hint="give a threshold up to 1")
    if clusters is not None and clusters < 1:
        raise UsageError(f"there cannot be {clusters} clusters", hint="give at least 1")
    if clusters is threshold is None and min_size is not None and min_size < 2:
        raise UsageError("HDBSCAN finds no clusters of one text", hint="pass --min-size 2 or more")


def _check_count(texts: int, known: int, clusters: int | None) -> None:
    if not texts:
        raise NothingGiven("there is nothing to cluster", hint="give at least two texts")
    if clusters is not None and clusters > known:
        what = "1 text" if known == 1 else f"{known} texts"
        whose = "" if known == texts else " with words that the model knows"
        raise UsageError(f"{what}{whose} cannot make {clusters} clusters", hint="ask for fewer with -n")
    if texts == 1 and clusters is None:
        raise NothingGiven("there is only one text to cluster", hint="give at least two")


def _kmeans(vectors: NDArray[np.float32], clusters: int) -> NDArray[np.int64]:
    different = similarity.count_different(vectors, clusters)
    if different < clusters:
        raise too_few_different(f"{len(vectors)} texts", different, clusters)
    return kmeans(vectors, clusters)


def too_few_different(texts: str, different: int, clusters: int) -> UsageError:
    """Return the error for more clusters than `texts` have different vectors."""
    return UsageError(
        f"{texts} with only {different} different vector{'s' if different > 1 else ''} "
        f"cannot make {clusters} clusters",
        hint="ask for fewer with -n",
    )


def _hdbscan(vectors: NDArray[np.float32], min_size: int) -> NDArray[np.int64]:
    import numpy as np

    if len(vectors) < 2:
        return np.full(len(vectors), NONE)
    if (vectors == vectors[0]).all():
        raise InputError(
            f"all {len(vectors)} texts are alike, so there are no clusters",
            hint="give texts that differ",
        )
    if min_size > len(vectors):
        return np.full(len(vectors), NONE)
    if len(vectors) > _PER_MINUTE:
        log.warning(
            "finding the clusters of %d texts takes about %d minutes; with -n or --threshold it is faster",
            len(vectors),
            round((len(vectors) / _PER_MINUTE) ** 2),
        )
    return hdbscan(_reduced(vectors), min_size)


def _reduced(vectors: NDArray[np.float32]) -> NDArray[np.floating[Any]]:
    """Return vectors in the dimensions that HDBSCAN works on."""
    if min(vectors.shape) <= _DIMENSIONS:
        return vectors
    points, share = similarity.principal_components(vectors, _DIMENSIONS)
    log.info(
        "HDBSCAN works on %d of %d dimensions (PCA), which hold %.0f %% of the variance",
        _DIMENSIONS,
        vectors.shape[1],
        100 * share,
    )
    # However the products were rounded.
    return points[similarity.first_equal(vectors)]


def _copies(corpus: Corpus, min_size: int) -> list[NDArray[np.int64]]:
    """Return the groups of equal texts among those of which the model knows nothing."""
    import numpy as np

    groups: dict[str, list[int]] = {}
    for row in corpus.unknown_rows().tolist():
        groups.setdefault(corpus.texts[row].embedded, []).append(row)
    return [np.array(rows) for rows in groups.values() if len(rows) >= min_size]


def by_size(labels: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Return the rows of each label except -1, largest group first, ties by their first row."""
    import numpy as np

    order = np.argsort(labels, kind="stable")
    order = order[np.searchsorted(labels[order], 0) :]
    groups = np.split(order, np.flatnonzero(np.diff(labels[order])) + 1) if len(order) else []
    return sorted(groups, key=lambda rows: (-len(rows), rows[0]))


def _centroid(vectors: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the normalized mean [d] of rows [m, d], and their cosine similarities to it [m]."""
    import numpy as np

    mean = vectors.mean(axis=0, dtype=np.float64)
    # If the vectors cancel out, the mean has no direction and every similarity is 0.
    centroid = similarity.unit_or_zero(mean[None])
    scores = similarity.pairwise(vectors, np.broadcast_to(centroid, vectors.shape), Metric.DOT)
    return centroid[0], np.clip(scores, -1, 1)


def _described(corpus: Corpus, labels: NDArray[np.int64], scores: NDArray[np.float32]) -> list[Cluster]:
    import numpy as np

    # By cluster, then by descending score. Texts in no cluster come first, by their label.
    order = np.lexsort((-scores, labels))
    first = int(np.searchsorted(labels[order], 1))
    outside, inside = order[:first], order[first:]
    members = np.split(inside, np.flatnonzero(np.diff(labels[inside])) + 1) if len(inside) else []
    # Texts in no cluster also count as a group: words that are common there are not distinctive.
    groups = [*members, outside] if len(outside) else members
    words = distinctive_words([(corpus.texts[row].embedded for row in rows.tolist()) for rows in groups])
    return [
        Cluster(number, rows, words[number - 1], scores[rows].mean())
        for number, rows in enumerate(members, 1)
    ]


def _silhouette(vectors: NDArray[np.float32], labels: NDArray[np.int64]) -> np.float32 | None:
    """Return the mean silhouette of the rows in clusters, None if it is not defined."""
    import numpy as np

    rows = np.flatnonzero(labels != NONE)
    if not 2 <= len(np.unique(labels[rows])) < len(rows):
        return None
    return mean_silhouette(vectors[rows], labels[rows])

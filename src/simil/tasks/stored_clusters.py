"""Clusters of a dataset that is larger than memory: k-means and communities, block by block."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from simil import similarity
from simil.blas import use_all_cores
from simil.errors import UsageError
from simil.similarity import Metric
from simil.tasks.clustering import (
    NONE,
    Cluster,
    Clustering,
    ClusteringMethod,
    by_size,
    check_asked,
    default_min_size,
    too_few_different,
)
from simil.tasks.communities import SAME, communities_of_pairs
from simil.tasks.corpus import texts_at
from simil.tasks.exact_passes import check_passes
from simil.tasks.kmeans import kmeans
from simil.tasks.near_pairs import all_pairs, candidate_pairs_with_copies
from simil.tasks.silhouette import sum_of_silhouettes
from simil.tasks.stored_corpus import StoredCorpus, rows_at_once
from simil.tasks.terms import distinctive_words
from simil.usable_memory import readable_size, usable_memory

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["stored_clusters"]

_COPIES = 5  # of its sample that k-means holds
_MOST_PASSES, _SETTLED = 10, 1e-3  # which part of the rows changes its cluster in the last pass
_SEED = 0
_READ_FOR_WORDS, _FEWEST_READ = 100_000, 20  # texts of all clusters, and of one


def stored_clusters(
    corpus: StoredCorpus,
    *,
    clusters: int | None = None,
    threshold: float | None = None,
    min_size: int | None = None,
) -> tuple[Clustering, int]:
    """Return what `cluster` does, and how many rows have more near ones than were compared with them.

    k-means learns from a sample that fits in memory, and improves on it in passes over all rows. Words are
    those of the texts nearest to the centre of each cluster. Raises `UsageError` for HDBSCAN, which needs all
    vectors at once, and where comparing all texts takes too long or too much memory.
    """
    import numpy as np

    check_asked(clusters, threshold, min_size)
    crowded = 0
    if clusters is not None:
        method, found = ClusteringMethod.KMEANS, by_size(_kmeans(corpus, clusters))
    elif threshold is not None:
        size = min_size or default_min_size(len(corpus))
        found, crowded = _communities(corpus, threshold, size)
        method = ClusteringMethod.COMMUNITIES
    else:
        needed, usable = readable_size(corpus.stored.memory_needed), readable_size(usable_memory() or 0)
        raise UsageError(
            f"HDBSCAN needs all {len(corpus):,} vectors in memory, which take {needed}, "
            f"and {usable} can be used",
            hint="pass -n for k-means or --threshold for communities",
        )
    labels = np.full(len(corpus), NONE, np.int64)
    for number, rows in enumerate(found, 1):
        labels[rows] = number
    return _described(corpus, method, labels, len(found)), crowded


def _communities(
    corpus: StoredCorpus, threshold: float, min_size: int
) -> tuple[list[NDArray[np.int64]], int]:
    check_passes(len(corpus), corpus, corpus.dimensions)
    limit = min(threshold, SAME)
    find = candidate_pairs_with_copies if corpus.has_index else all_pairs
    pairs = find(corpus, limit)
    return communities_of_pairs(len(corpus), pairs.i, pairs.j, pairs.scores, min_size), pairs.crowded


def _kmeans(corpus: StoredCorpus, clusters: int) -> NDArray[np.int64]:
    """Return the cluster of each row, int64 [n] from 0."""
    import numpy as np

    draw = np.random.default_rng(_SEED)
    size = min(rows_at_once(_COPIES * 4 * corpus.dimensions), len(corpus))
    rows = np.sort(draw.choice(len(corpus), size, replace=False))
    vectors = corpus.vectors_of(rows)
    different = similarity.count_different(vectors, clusters)
    if different < clusters:
        sample = "" if size == len(corpus) else "a sample of "
        raise too_few_different(f"{sample}{size:,} texts", different, clusters)
    labels = kmeans(vectors, clusters)
    if size == len(corpus):
        return labels
    sums, sizes = np.zeros((clusters, corpus.dimensions)), np.bincount(labels, minlength=clusters)
    _add(sums, vectors, labels)
    del vectors
    found = np.full(len(corpus), NONE, np.int64)
    for _ in range(_MOST_PASSES):
        before = found.copy()
        sums, sizes = _assign(corpus, sums / sizes[:, None], found)
        if (found != before).sum() <= _SETTLED * len(corpus) and sizes.all():
            break
        _refill(corpus, found, sums, sizes)
    return found


def _assign(
    corpus: StoredCorpus, means: NDArray[np.float64], labels: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Put each row into the cluster of the nearest mean; return the sums and sizes of the clusters."""
    import numpy as np

    use_all_cores(len(corpus) * means.size)
    centres = means.astype(np.float32)
    squares = np.einsum("ij,ij->i", centres, centres)
    sums = np.zeros(means.shape)
    with corpus.progress("clustering", total=len(corpus), unit="texts") as advance:
        for first, block in corpus.read():
            nearest = (squares - 2 * (block @ centres.T)).argmin(axis=1)
            labels[first : first + len(block)] = nearest
            _add(sums, block, nearest)
            advance(len(block))
    return sums, np.bincount(labels, minlength=len(means))


def _add(sums: NDArray[np.float64], vectors: NDArray[np.float32], labels: NDArray[np.int64]) -> None:
    """Add vectors to the sum of the cluster of each."""
    import numpy as np

    order = np.argsort(labels, kind="stable")
    there, starts = np.unique(labels[order], return_index=True)
    sums[there] += np.add.reduceat(vectors[order].astype(np.float64), starts, axis=0)


def _refill(
    corpus: StoredCorpus, labels: NDArray[np.int64], sums: NDArray[np.float64], sizes: NDArray[np.int64]
) -> None:
    """Give each cluster without rows a row of the largest as its mean."""
    import numpy as np

    empty = np.flatnonzero(sizes == 0)
    if len(empty):
        rows = np.flatnonzero(labels == sizes.argmax())
        rows = rows[np.linspace(0, len(rows) - 1, len(empty)).astype(np.int64)]
        sums[empty], sizes[empty] = corpus.vectors_of(rows), 1


def _described(
    corpus: StoredCorpus, method: ClusteringMethod, labels: NDArray[np.int64], count: int
) -> Clustering:
    """Return the clusters with what is told of them: centroids, scores, words and the silhouette."""
    import numpy as np

    sums = np.zeros((count, corpus.dimensions))
    for first, block in corpus.read():
        own = labels[first : first + len(block)]
        inside = own != NONE
        if inside.any():
            _add(sums, block[inside], own[inside] - 1)
    sizes = np.bincount(labels[labels != NONE] - 1, minlength=count)
    centroids = (
        similarity.unit_or_zero(sums / np.maximum(sizes, 1)[:, None]) if count else sums.astype(np.float32)
    )
    scores, total = np.full(len(corpus), np.nan, np.float32), 0.0
    for first, block in corpus.read():
        inside = np.flatnonzero(labels[first : first + len(block)] != NONE)
        own, vectors = labels[first + inside] - 1, block[inside]
        if not len(own):
            continue
        scores[first + inside] = similarity.pairwise(vectors, centroids[own], Metric.DOT).clip(-1, 1)
        total += sum_of_silhouettes(vectors, own, sums, sizes)
    silhouette = np.float32(total / sizes.sum()) if 2 <= count < sizes.sum() else None
    members = _members(labels, scores, count)
    words = _words(corpus, members, np.flatnonzero(labels == NONE))
    described = [
        Cluster(number, rows, words[number - 1], scores[rows].mean())
        for number, rows in enumerate(members, 1)
    ]
    return Clustering(corpus.corpus, method, labels, scores, centroids, described, silhouette)


def _members(labels: NDArray[np.int64], scores: NDArray[np.float32], count: int) -> list[NDArray[np.int64]]:
    """Return the rows of each cluster, nearest to its centroid first."""
    import numpy as np

    order = np.lexsort((-scores, labels))
    bounds = np.searchsorted(labels[order], np.arange(1, count + 2))
    return [order[start:end] for start, end in pairwise(bounds.tolist())]


def _words(
    corpus: StoredCorpus, members: list[NDArray[np.int64]], outside: NDArray[np.int64]
) -> list[list[str]]:
    """Return the distinctive words of each cluster, by its first rows."""
    groups = [*members, outside] if len(outside) else members
    most = max(_FEWEST_READ, _READ_FOR_WORDS // max(len(groups), 1))
    return distinctive_words(
        [(text.text for text in texts_at(corpus.corpus.texts, rows[:most])) for rows in groups]
    )

"""k-means: a partition of vectors with a low sum of squared distances to the means of its clusters.

Seedings of greedy k-means++ (Arthur and Vassilvitskii 2007) compete on a sample of the vectors: all get a few
sweeps, the better ones more, and the best go on with all vectors. How a partition is improved, and why a few
finished ones are as good as the best of ten by Lloyd's steps, is told in `partition`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from simil.blas import cores, one_thread
from simil.tasks.partition import CentredRows, Partition

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["kmeans"]

_SEED = 0
_SAMPLE, _SAMPLE_PER_CLUSTER = 2048, 64  # rows that seedings compete on: the larger one
_MEANS = 240  # of all starts together, which makes their time
_FEWEST_STARTS, _MOST_STARTS = 16, 32  # of many clusters, exchanges make up for starts
_ROUNDS = ((1, 3), (2, 4), (4, 12))  # which part of the starts gets how many sweeps
_CANDIDATES, _CANDIDATE_SWEEPS = 6, 6
_FINALISTS, _FINALIST_SWEEPS = 3, 6
_MOST_SWEEPS = 300
_SAME = 1e-7  # relative: partitions that differ less are one, found twice


def kmeans(vectors: NDArray[np.float32], clusters: int) -> NDArray[np.int64]:
    """Return the cluster of each row of `vectors` [n, d], int64 [n] from 0.

    Every cluster has a row, and no row is nearer to another cluster's mean. The result is the same in every
    run. There must be at least `clusters` different rows.
    """
    import numpy as np

    random = np.random.default_rng(_SEED)
    rows = CentredRows.of(vectors)
    sample = rows.sample(max(_SAMPLE, _SAMPLE_PER_CLUSTER * clusters), random)
    starts = min(max(_MEANS // clusters, _FEWEST_STARTS), _MOST_STARTS)
    seedings = _seedings(sample, clusters, starts, random)
    # Products this small take no longer on one core, and threads of BLAS would wait for each other.
    with one_thread(), ThreadPoolExecutor(cores()) as pool:

        def best(
            partitions: Iterable[Partition], work: Callable[[Partition, int], object], sweeps: int
        ) -> list[Partition]:
            partitions = list(partitions)
            list(pool.map(lambda partition: work(partition, sweeps), partitions))
            return _different(sorted(partitions, key=lambda partition: -partition.value))

        found = [Partition.around(sample, sample.vectors[seeds]) for seeds in seedings]
        for part, sweeps in _ROUNDS:
            found = best(found[: starts // part], Partition.improve, sweeps)
        found = found[:_CANDIDATES]
        if sample is not rows:
            found = [Partition.around(rows, one.means()) for one in found]
        found = best(found, Partition.improve, _CANDIDATE_SWEEPS)
        found = best(found[:_FINALISTS], Partition.finish, _FINALIST_SWEEPS)
        found[0].finish(_MOST_SWEEPS)
    return found[0].labels


def _different(partitions: list[Partition]) -> list[Partition]:
    """Return the partitions of different value; they come in the order of their value."""
    found: list[Partition] = []
    for partition in partitions:
        if not found or partition.value < found[-1].value * (1 - _SAME):
            found.append(partition)
    return found


def _seedings(
    rows: CentredRows, clusters: int, starts: int, random: np.random.Generator
) -> NDArray[np.int64]:
    """Return rows that are far from each other, int64 [starts, clusters], by greedy k-means++.

    As in scikit-learn, each is the best of 2 + log k rows that are drawn by the square of their distance. All
    starts go on together, because a product with many columns is faster.
    """
    import numpy as np

    tries = 2 + int(np.log(clusters))
    each = np.arange(starts)
    seeds = np.empty((starts, clusters), np.int64)
    seeds[:, 0] = random.integers(0, len(rows), starts)
    nearest = rows.distances_to(seeds[:, 0]).clip(0)
    for place in range(1, clusters):
        sums = nearest.cumsum(axis=1, dtype=np.float64)
        points = random.random((starts, tries)) * sums[:, -1:]
        drawn = np.stack([np.searchsorted(*pair, side="right") for pair in zip(sums, points, strict=True)])
        drawn = drawn.clip(0, len(rows) - 1)
        left = rows.distances_to(drawn.ravel()).reshape(starts, tries, -1)
        np.clip(left, 0, nearest[:, None], out=left)
        best = left.sum(axis=2).argmin(axis=1)
        seeds[:, place] = drawn[each, best]
        nearest = left[each, best]
    return seeds

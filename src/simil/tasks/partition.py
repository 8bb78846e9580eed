"""A partition of vectors into clusters, and the changes that lower its sum of squared distances to the means.

Rows move as in Hartigan's method (Hartigan and Wong 1979), which counts that the means of the clusters that a
row leaves and joins change: so it improves partitions in which Lloyd's steps are stuck already (Telgarsky and
Vattani 2010), and in its result no row is nearer to another mean either. In between, the clusters that cost
least to join are joined, and those that gain most are split instead (as in ISODATA, Ball and Hall 1965).
Every change makes the sum lower, or is not made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["CentredRows", "Partition"]

_BLOCK = 1024  # rows that move together; the means follow after each block
_SETTLED, _ACTIVE, _ACTIVE_SWEEPS = 1 / 20, 1 / 8, 20
_MOST_EXCHANGES = 30
_SPLIT_STEPS = 5
_ROUNDING = 1e-6  # of the mean square: smaller gains are errors of float32


@dataclass(frozen=True, eq=False, slots=True)
class CentredRows:
    """Vectors less their mean, float32 [n, d], and the squares of their lengths, float32 [n].

    Around the mean, products lose the fewest digits.
    """

    vectors: NDArray[np.float32]
    squares: NDArray[np.float32]

    @classmethod
    def of(cls, vectors: NDArray[np.float32]) -> Self:
        """Centre vectors [n, d]."""
        import numpy as np

        centred = vectors - vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
        return cls(centred, np.einsum("ij,ij->i", centred, centred))

    def __len__(self) -> int:
        return len(self.vectors)

    def sample(self, size: int, random: np.random.Generator) -> CentredRows:
        """Return `size` of the rows in random order; all rows if there are no more."""
        return self if size >= len(self) else self.take(random.permutation(len(self))[:size])

    def take(self, places: NDArray[np.int64]) -> CentredRows:
        """Return a copy of some rows."""
        return CentredRows(self.vectors[places], self.squares[places])

    def distances(self, part: slice, means: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the squared distances of some rows to means [k, d], float32 [rows, k].

        Rounding can make one negative.
        """
        import numpy as np

        result: NDArray[np.float32] = self.vectors[part] @ (-2 * means.T)
        result += np.einsum("ij,ij->i", means, means)
        result += self.squares[part, None]
        return result

    def distances_to(self, places: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the squared distances of some rows to all rows, float32 [places, n]."""
        result: NDArray[np.float32] = (-2 * self.vectors[places]) @ self.vectors.T
        result += self.squares
        result += self.squares[places, None]
        return result


class Partition:
    """Rows in clusters.

    `labels` int64 [n] are their clusters. `value` is the sum over the clusters of |sum of the rows|² / size:
    what the sum of all squared lengths exceeds it by is the inertia, so more is better.
    """

    def __init__(self, rows: CentredRows, labels: NDArray[np.int64], clusters: int) -> None:
        """Each of the clusters must have a row."""
        self.labels = labels
        self._rows = rows
        self._count = clusters
        self._rounding = _ROUNDING * float(rows.squares.mean())
        self._splits: dict[bytes, tuple[NDArray[np.bool_], float]] = {}
        self._sums, self._sizes = _totals(rows.vectors, labels, clusters)
        self.value = _value(self._sums, self._sizes)

    @classmethod
    def around(cls, rows: CentredRows, means: NDArray[np.float32]) -> Self:
        """Put each row into the cluster of the nearest of `means` [k, d], and at least one row into each."""
        import numpy as np

        labels = np.empty(len(rows), np.int64)
        distances = np.empty(len(rows), np.float32)
        for part in _blocks(len(rows)):
            block = rows.distances(part, means)
            labels[part] = block.argmin(axis=1)
            distances[part] = block.min(axis=1)
        _fill_empty(labels, distances, len(means))
        return cls(rows, labels, len(means))

    def means(self) -> NDArray[np.float32]:
        """Return the mean of each cluster, float32 [k, d]."""
        import numpy as np

        return (self._sums / self._sizes[:, None]).astype(np.float32)

    def improve(self, sweeps: int) -> None:
        """Move rows to better clusters in up to `sweeps` sweeps, fewer if no row is left to move."""
        for _ in range(sweeps):
            moved, gains = self._sweep(self._rows, self.labels)
            if not moved:
                break
            if moved < _SETTLED * len(self._rows):
                self._settle(gains)

    def finish(self, sweeps: int) -> None:
        """Improve by up to `sweeps` sweeps, and again after each exchange of clusters that pays."""
        self.improve(sweeps)
        for _ in range(_MOST_EXCHANGES):
            if not self._exchange():
                break
            self.improve(sweeps)

    def _settle(self, gains: NDArray[np.float32]) -> None:
        """Sweep through the rows that are nearest to moving; most of the others never will."""
        import numpy as np

        first = len(gains) - max(1, int(_ACTIVE * len(gains)))
        active = np.sort(np.argpartition(gains, first)[first:])
        rows, labels = self._rows.take(active), self.labels[active]
        for _ in range(_ACTIVE_SWEEPS):
            if not self._sweep(rows, labels)[0]:
                break
        self.labels[active] = labels

    def _sweep(self, rows: CentredRows, labels: NDArray[np.int64]) -> tuple[int, NDArray[np.float32]]:
        """Move rows that are better elsewhere; return their number, and what each could gain, float32 [n]."""
        import numpy as np

        gains = np.empty(len(rows), np.float32)
        moved = 0
        for part in _blocks(len(rows)):
            targets, gains[part] = self._targets(rows, labels, part)
            moving = np.flatnonzero(gains[part] > self._rounding)
            # Each of them is better elsewhere, but all together may not be. Then the better half moves.
            while len(moving) and not self._move(rows.vectors[part], labels[part], moving, targets[moving]):
                moving = moving[np.argsort(-gains[part][moving], kind="stable")][: len(moving) // 2]
            moved += len(moving)
        return moved, gains

    def _targets(
        self, rows: CentredRows, labels: NDArray[np.int64], part: slice
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the best other cluster for each row of a block, and what the row gains by moving there."""
        import numpy as np

        own, each = labels[part], np.arange(len(labels[part]))
        costs = rows.distances(part, self.means())
        leaving = (self._sizes / np.maximum(self._sizes - 1, 1)).astype(np.float32)
        leaving[self._sizes == 1] = 0  # the last row of a cluster stays
        stay = costs[each, own] * leaving[own]
        costs *= (self._sizes / (self._sizes + 1)).astype(np.float32)
        costs[each, own] = np.inf
        targets = costs.argmin(axis=1)
        return targets, stay - costs[each, targets].clip(0)

    def _move(
        self,
        vectors: NDArray[np.float32],
        labels: NDArray[np.int64],
        moving: NDArray[np.int64],
        targets: NDArray[np.int64],
    ) -> bool:
        """Move rows of a block, if that is better and leaves no cluster empty."""
        import numpy as np

        change = np.zeros((self._count, len(moving)))
        change[targets, np.arange(len(moving))] = 1
        change[labels[moving], np.arange(len(moving))] = -1
        sizes = self._sizes + change.sum(axis=1).astype(np.int64)
        sums = self._sums + change @ vectors[moving].astype(np.float64)
        if not sizes.all() or (value := _value(sums, sizes)) <= self.value:
            return False
        labels[moving] = targets
        self._sums, self._sizes, self.value = sums, sizes, value
        return True

    def _exchange(self) -> bool:
        """Join pairs of clusters, and split as many others, where that pays; return whether any."""
        import numpy as np

        costs = self._joining_costs()
        splits = [self._split(np.flatnonzero(self.labels == label)) for label in range(self._count)]
        before = self.labels.copy()
        for label in np.argsort([-gain for _, gain in splits], kind="stable").tolist():
            half, gain = splits[label]
            if np.isinf(costs[label]).all():
                continue  # taken
            kept = np.delete(np.arange(self._count), label)
            one, other = kept[list(divmod(int(costs[np.ix_(kept, kept)].argmin()), self._count - 1))]
            if not gain > costs[one, other] + self._rounding:
                break
            self.labels[before == other] = one
            self.labels[np.flatnonzero(before == label)[half]] = other
            taken = [label, one, other]
            costs[taken] = costs[:, taken] = np.inf
        self._sums, self._sizes = _totals(self._rows.vectors, self.labels, self._count)
        self.value = _value(self._sums, self._sizes)
        return bool((self.labels != before).any())

    def _joining_costs(self) -> NDArray[np.float64]:
        """Return what joining each two clusters adds to the inertia, float64 [k, k] (Ward's distance)."""
        import numpy as np

        means = self._sums / self._sizes[:, None]
        squares = np.einsum("ij,ij->i", means, means)
        distances = np.add.outer(squares, squares) - 2 * means @ means.T
        weights = np.multiply.outer(self._sizes, self._sizes) / np.add.outer(self._sizes, self._sizes)
        costs: NDArray[np.float64] = weights * distances.clip(0)
        np.fill_diagonal(costs, np.inf)
        return costs

    def _split(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.bool_], float]:
        key = rows.tobytes()
        if key not in self._splits:
            self._splits[key] = _halves(self._rows.vectors[rows])
        return self._splits[key]


def _totals(
    vectors: NDArray[np.float32], labels: NDArray[np.int64], clusters: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the sum [k, d] and the number [k] of the rows of each cluster."""
    import numpy as np

    sums = np.zeros((clusters, vectors.shape[1]))
    for part in _blocks(len(vectors)):
        members = labels[part] == np.arange(clusters)[:, None]
        sums += members.astype(np.float64) @ vectors[part].astype(np.float64)
    return sums, np.bincount(labels, minlength=clusters)


def _value(sums: NDArray[np.float64], sizes: NDArray[np.int64]) -> float:
    import numpy as np

    return float((np.einsum("ij,ij->i", sums, sums) / sizes).sum())


def _halves(vectors: NDArray[np.float32]) -> tuple[NDArray[np.bool_], float]:
    """Divide rows [n, d] in two; return which belong to one half, and how much lower the inertia is.

    The first division is along the direction in which the rows differ most, then come steps of Lloyd.
    """
    import numpy as np

    around = vectors - vectors.mean(axis=0)
    direction = around[np.einsum("ij,ij->i", around, around).argmax()]
    for _ in range(2):
        direction = (around @ direction) @ around
    found, gain, middle = np.zeros(len(vectors), np.bool_), 0.0, 0.0
    for _ in range(_SPLIT_STEPS):
        half = around @ direction > middle
        size, rest = int(half.sum()), int((~half).sum())
        if not size or not rest:
            break
        total = around[half].sum(axis=0, dtype=np.float64)  # that of the rest is its negative
        better = float(total @ total) * (1 / size + 1 / rest)
        if better <= gain:
            break
        found, gain = half, better
        direction = (total * (1 / size + 1 / rest)).astype(np.float32)
        middle = float(total @ total) * (1 / size**2 - 1 / rest**2) / 2
    return found, gain


def _fill_empty(labels: NDArray[np.int64], distances: NDArray[np.float32], clusters: int) -> None:
    """Give each cluster without rows one of those that are farthest from their mean, as scikit-learn does."""
    import numpy as np

    sizes = np.bincount(labels, minlength=clusters)
    empty = np.flatnonzero(sizes == 0).tolist()
    rows = iter(np.argsort(-distances, kind="stable").tolist() if empty else ())
    for cluster in empty:
        row = next(row for row in rows if sizes[labels[row]] > 1)
        sizes[labels[row]] -= 1
        labels[row] = cluster


def _blocks(rows: int) -> list[slice]:
    return [slice(start, start + _BLOCK) for start in range(0, rows, _BLOCK)]

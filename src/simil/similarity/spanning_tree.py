"""The Euclidean minimum spanning tree: the shortest edges that connect all points."""

from __future__ import annotations

from concurrent.futures import Executor, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from simil.blas import cores, one_thread
from simil.similarity.copies import first_equal
from simil.similarity.normalization import as_rows, rows_in_block

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]
    Places = NDArray[np.int64]

__all__ = ["spanning_tree"]

_ROWS, _COLUMNS = 256, 1024  # of squared distances at once: 1 MB, which stays in the processor's cache


def spanning_tree(points: Floats) -> tuple[Places, Places, NDArray[np.float64]]:
    """Return the edges of the Euclidean minimum spanning tree of `points` [n, d], shortest first.

    Three arrays [n - 1]: the ends of each edge, int64, and its length, float64. By Borůvka's method: each
    group of connected points finds the nearest point outside, all groups at once by matrix products; the
    largest group waits, as the edges that it needs are found from the other side. Distances are those of
    float64. Memory is bounded by the points.
    """
    import numpy as np

    rows = np.ascontiguousarray(as_rows(points), np.float64)
    # By a power of two, which changes no digit, to a size whose square float32 holds.
    scale = 2.0 ** np.frexp(np.abs(rows).max(initial=0))[1]
    rows = rows / scale
    firsts, copies = _split_copies(equal := first_equal(rows))
    search = _OutsideSearch(rows[firsts])
    edges: list[tuple[int, int, float]] = []
    # A core for each block of rows: the products are too small for several.
    with one_thread(), ThreadPoolExecutor(cores()) as pool:
        while len(edges) < len(firsts) - 1:
            edges += search.connect(pool)
    edges.sort(key=lambda edge: edge[2])
    left, right, squares = zip(*edges, strict=True) if edges else ((), (), ())
    return (
        np.concatenate([copies, firsts[np.array(left, np.int64)]]),
        np.concatenate([equal[copies], firsts[np.array(right, np.int64)]]),
        np.concatenate([np.zeros(len(copies)), scale * np.sqrt(np.array(squares, np.float64))]),
    )


def _split_copies(equal: Places) -> tuple[Places, Places]:
    """Return the rows that are the first of their kind, and the others."""
    import numpy as np

    is_first = equal == np.arange(len(equal))
    return np.flatnonzero(is_first), np.flatnonzero(~is_first)


class _OutsideSearch:
    """Groups of connected points, and for each point the nearest one that was outside of its group.

    Once that one is in its group, its distance is a lower limit for all that are still outside.
    """

    def __init__(self, points: NDArray[np.float64]) -> None:
        import numpy as np

        centred = points - points.mean(axis=0)
        sizes = np.einsum("ij,ij->i", centred, centred)[:, None]
        lengths, ones = np.sqrt(sizes[:, 0]), np.ones_like(sizes)
        # The product of a row of the one and a row of the other is their squared distance.
        self._left = np.hstack([-2 * centred, sizes, ones], dtype=np.float32, casting="same_kind")
        self._right = np.hstack([centred, ones, sizes], dtype=np.float32, casting="same_kind")
        self._errors = (points.shape[1] + 8) * np.finfo(np.float32).eps * (lengths + lengths.max()) ** 2
        self._points = points
        self._groups = np.arange(len(points))
        self._nearest = np.arange(len(points))
        self._squares = np.zeros(len(points))

    def connect(self, pool: Executor) -> list[tuple[int, int, float]]:
        """Connect each group but the largest to its nearest point outside; return the new edges."""
        import numpy as np

        waiting = self._groups == np.bincount(self._groups).argmax()
        outside = self._groups[self._nearest] != self._groups
        best = np.full(len(self._groups), np.inf)
        np.minimum.at(best, self._groups[outside], self._squares[outside])
        self._search(np.flatnonzero(~waiting & ~outside & (self._squares < best[self._groups])), pool)
        outside = self._groups[self._nearest] != self._groups
        rows = np.flatnonzero(~waiting & outside)
        rows = rows[np.lexsort((self._squares[rows], self._groups[rows]))]
        _, first = np.unique(self._groups[rows], return_index=True)
        return self._join(rows[first])

    def _join(self, rows: Places) -> list[tuple[int, int, float]]:
        """Join the groups of `rows` to those of their nearest points, unless others have connected them."""
        import numpy as np

        parents = list(range(len(self._groups)))

        def root(group: int) -> int:
            while parents[group] != group:
                parents[group] = parents[parents[group]]
                group = parents[group]
            return group

        edges = []
        for row in rows.tolist():
            other = int(self._nearest[row])
            one, two = root(int(self._groups[row])), root(int(self._groups[other]))
            if one != two:
                parents[one] = two
                edges.append((row, other, float(self._squares[row])))
        roots = np.array([root(group) for group in range(len(parents))])
        self._groups = roots[self._groups]
        return edges

    def _search(self, rows: Places, pool: Executor) -> None:
        """Find the nearest point outside for each of `rows`."""
        import numpy as np

        # By group, so that the pairs to leave out are next to each other.
        columns = np.argsort(self._groups, kind="stable")
        rows = rows[np.argsort(self._groups[rows], kind="stable")]
        self._squares[rows] = np.inf
        right = self._right[columns]

        def search(block: Places) -> None:
            left = self._left[block]
            for side in range(0, len(columns), _COLUMNS):
                squares = left @ right[side : side + _COLUMNS].T
                self._compare(squares, block, columns[side : side + _COLUMNS])

        list(pool.map(search, (rows[start : start + _ROWS] for start in range(0, len(rows), _ROWS))))

    def _compare(self, squares: NDArray[np.float32], rows: Places, others: Places) -> None:
        """Take the nearest of `others` outside for each of `rows`, given rounded squared distances."""
        import numpy as np

        for high, wide in _common(self._groups[rows], self._groups[others]):
            squares[high, wide] = np.inf
        errors = self._errors[rows]
        limits = np.minimum(squares.min(axis=1) + 2 * errors, self._squares[rows] + errors)
        limits = limits.clip(None, np.finfo(np.float32).max).astype(np.float32)
        near, nearer = np.divmod(np.flatnonzero(squares <= limits[:, None]), len(others))
        exact = self._exact(rows[near], others[nearer])
        order = np.lexsort((exact, near))
        _, first = np.unique(near[order], return_index=True)
        best = order[first]
        best = best[exact[best] < self._squares[rows[near[best]]]]
        self._squares[rows[near[best]]] = exact[best]
        self._nearest[rows[near[best]]] = others[nearer[best]]

    def _exact(self, rows: Places, others: Places) -> NDArray[np.float64]:
        """Return the squared distances of pairs."""
        import numpy as np

        result = np.empty(len(rows))
        step = rows_in_block(self._points.shape[1])
        for start in range(0, len(rows), step):
            part = slice(start, start + step)
            difference = self._points[rows[part]] - self._points[others[part]]
            result[part] = np.einsum("ij,ij->i", difference, difference)
        return result


def _common(left: Places, right: Places) -> Iterator[tuple[slice, slice]]:
    """Yield where two ascending arrays have the same number."""
    import numpy as np

    if left[-1] < right[0] or right[-1] < left[0]:
        return
    common = np.intersect1d(left, right)
    ends = [np.searchsorted(of, common, side).tolist() for of in (left, right) for side in ("left", "right")]
    for high, low, near, far in zip(*ends, strict=True):
        yield slice(high, low), slice(near, far)

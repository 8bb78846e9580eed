"""Similarity joins: all pairs of rows that reach a threshold, and representatives of near duplicates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simil.blas import use_all_cores
from simil.errors import InputError
from simil.similarity.normalization import as_rows, check_dimensions
from simil.similarity.products import check_block_rows, checked_lengths, float32_rows, products
from simil.similarity.thresholds import lowest_score

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

__all__ = [
    "Representatives",
    "join_nearest",
    "matches_above",
    "pairs_above",
    "representatives",
    "representatives_of_pairs",
]


def pairs_above(
    vectors: Floats, threshold: float, *, block_rows: int = 1024
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]]:
    """Yield all pairs i < j of rows of `vectors` [n, d] whose dot product is at least `threshold`.

    Yields three arrays of equal length, i int64, j int64 and score float32, ordered by i, then j, for each
    pair of blocks with a result, by block of i, then of j. For unit vectors, the dot product is the cosine
    similarity. `vectors` are used as float32 and can be a `numpy.memmap` larger than memory; they are read
    in blocks of `block_rows`, and float32 is not copied.

    A score is the dot product in float64, rounded; it reaches `threshold` as `lowest_score` says. If float32
    cannot decide whether it does, the exact score does.

    Raises `InputError` for a threshold that is NaN, and for a row that is zero or not finite, by its number
    (from 1), before it yields any pair of it.
    """
    vectors = as_rows(vectors)
    check_block_rows(block_rows)
    limit = _limit(threshold)
    use_all_cores(len(vectors) * vectors.size)
    longest: list[float] = []  # of each block
    for top in range(0, len(vectors), block_rows):
        a = float32_rows(vectors[top : top + block_rows])
        for side in range(top, len(vectors), block_rows):
            b = a if side == top else float32_rows(vectors[side : side + block_rows])
            if top == 0:
                longest.append(_longest(b, side))
            lengths = longest[top // block_rows] * longest[side // block_rows]
            i, j, scores = _pairs_of(a, b, limit, lengths, same=side == top)
            if len(i):
                yield i + top, j + side, scores


def matches_above(
    left: Floats, right: Floats, threshold: float, *, block_rows: int = 1024
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]]:
    """Yield all pairs of row i of `left` [n, d] and j of `right` [m, d] that reach `threshold`.

    Everything else is as in `pairs_above`.
    """
    left, right = as_rows(left), as_rows(right)
    check_dimensions(left, right)
    check_block_rows(block_rows)
    limit = _limit(threshold)
    use_all_cores(len(left) * right.size)
    longest: list[float] = []  # of each block of `right`
    for top in range(0, len(left), block_rows):
        a = float32_rows(left[top : top + block_rows])
        own = _longest(a, top)
        for number, side in enumerate(range(0, len(right), block_rows)):
            b = float32_rows(right[side : side + block_rows])
            if top == 0:
                longest.append(_longest(b, side))
            i, j, scores = _pairs_of(a, b, limit, own * longest[number], same=False)
            if len(i):
                yield i + top, j + side, scores


def representatives(
    vectors: Floats, threshold: float, *, block_rows: int = 1024
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the representative of each row of `vectors` [n, d], int64 [n], and the score of both.

    A row represents itself, with score 1, unless it reaches `threshold` with an earlier row that represents
    itself; then the nearest of these represents it, of ties the first. So rows are not grouped by chains:
    each reaches the threshold with its own representative.

    Scores, threshold, kinds of `vectors` and errors are as in `pairs_above`; memory is bounded by one block
    of pairs.
    """
    import numpy as np

    vectors = as_rows(vectors)
    check_block_rows(block_rows)
    use_all_cores(len(vectors) * vectors.size)
    found = Representatives(len(vectors), threshold)
    kept = np.empty(0, np.int64)
    for top in range(0, len(vectors), block_rows):
        found.begin(vectors[top : top + block_rows], top)
        for start in range(0, len(kept), block_rows):
            rows = kept[start : start + block_rows]
            found.compare(rows, _taken(vectors, rows))
        kept = np.concatenate([kept, found.finish()])
    return found.owners, found.scores


class Representatives:
    """The representatives of rows that come in blocks, as `representatives` finds them.

    Each block begins, is compared with all earlier rows that represent themselves, in any parts, and is
    finished; until then it can begin anew. Blocks are finished in the order of their rows.

    Attributes:
        owners: the representative of each row that is finished, int64 [n].
        scores: the score of both, float32 [n]; 1 for a row that represents itself.
    """

    def __init__(self, count: int, threshold: float) -> None:
        """Expect `count` rows; raises `InputError` for a threshold that is NaN."""
        import numpy as np

        self.owners = np.arange(count)
        self.scores = np.full(count, -np.inf, np.float32)
        self._limit = _limit(threshold)
        self._longest = 0.0

    def begin(self, block: Floats, first: int) -> None:
        """Take the rows from number `first` on; errors are those of `pairs_above`."""
        self._block, self._first = float32_rows(block), first
        self._longest = max(self._longest, _longest(self._block, first))

    def compare(self, rows: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        """Compare the block with earlier rows that represent themselves, of these numbers."""
        i, j, scores = _pairs_of(vectors, self._block, self._limit, self._longest**2, same=False)
        join_nearest(rows[i], j + self._first, scores, self.owners, self.scores)

    def finish(self) -> NDArray[np.int64]:
        """Compare the rows of the block with each other; return the numbers of those that stay themselves."""
        import numpy as np

        block, top = self._block, self._first
        i, j, scores = _pairs_of(block, block, self._limit, self._longest**2, same=True)
        own = slice(top, top + len(block))
        first = _first_of_each(i, j, np.isneginf(self.scores[own]))
        among = first[i]
        join_nearest(i[among] + top, j[among] + top, scores[among], self.owners, self.scores)
        self.scores[own][first] = 1
        return np.flatnonzero(first) + top


def representatives_of_pairs(
    count: int, i: NDArray[np.int64], j: NDArray[np.int64], scores: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return what `representatives` does for `count` rows of which the near pairs i < j are known."""
    import numpy as np

    owners, best = np.arange(count), np.full(count, -np.inf, np.float32)
    first = _first_of_each(i, j, np.ones(count, np.bool_))
    among = first[i]
    join_nearest(i[among], j[among], scores[among], owners, best)
    best[first] = 1
    return owners, best


def _first_of_each(i: NDArray[np.int64], j: NDArray[np.int64], free: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which `free` rows of a block represent themselves; i < j are near pairs.

    A free row does if no undecided earlier row is near it. The rows near it then do not, which decides
    others.
    """
    import numpy as np

    first, undecided = np.zeros(len(free), np.bool_), free.copy()
    among = free[i] & free[j]
    i, j = i[among], j[among]
    while undecided.any():
        held = np.zeros(len(free), np.bool_)
        held[j[undecided[i]]] = True
        found = undecided & ~held
        first |= found
        undecided &= ~found
        undecided[j[found[i]]] = False
        among = undecided[i] & undecided[j]
        i, j = i[among], j[among]
    return first


def join_nearest(
    rows: NDArray[np.int64],
    joining: NDArray[np.int64],
    scores: NDArray[np.float32],
    owner: NDArray[np.int64],
    best: NDArray[np.float32],
) -> None:
    """Assign each row of `joining` to the nearest of `rows`, unless it already has a nearer one."""
    import numpy as np

    order = np.lexsort((rows, -scores, joining))
    rows, joining, scores = rows[order], joining[order], scores[order]
    nearest = np.ones(len(order), np.bool_)
    nearest[1:] = joining[1:] != joining[:-1]
    # Of equal scores, the earlier row counts; rows come in order.
    nearest &= scores > best[joining]
    owner[joining[nearest]] = rows[nearest]
    best[joining[nearest]] = scores[nearest]


def _taken(vectors: Floats, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the `rows` of `vectors`, without a copy if they are consecutive."""
    first, last = int(rows[0]), int(rows[-1])
    together = last - first + 1 == len(rows)
    return float32_rows(vectors[first : last + 1] if together else vectors[rows])


def _limit(threshold: float) -> np.float32:
    import numpy as np

    if np.isnan(threshold):
        raise InputError("nothing can be compared with a threshold that is not a number")
    return lowest_score(threshold)


def _longest(rows: NDArray[np.float32], first: int) -> float:
    return float(checked_lengths(rows, range(first, first + len(rows))).max())


def _pairs_of(
    a: NDArray[np.float32], b: NDArray[np.float32], limit: np.float32, lengths: float, *, same: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Return the pairs of rows of `a` and `b` that reach `limit`; with `same`, only i < j.

    `lengths` is the product of their largest lengths, which bounds the error of float32.
    """
    import numpy as np

    with np.errstate(over="ignore", invalid="ignore"):
        scores = a @ b.T
        numbers = np.finfo(np.float32)
        error = (a.shape[1] + 2) * (float(numbers.eps) * lengths + float(numbers.tiny))
        low = np.nextafter(np.float32(float(limit) - error), np.float32(-np.inf))
    # If an intermediate sum can overflow, the float32 scores are useless.
    near = scores >= low if lengths < float(numbers.max) / 2 else np.ones(scores.shape, dtype=bool)
    if same:
        near &= ~np.tri(len(a), dtype=bool)
    # `nonzero` is many times slower in two dimensions.
    i, j = np.divmod(np.flatnonzero(near), len(b))
    exact = products(a, b, i, j)
    reached = exact >= limit
    return i[reached], j[reached], exact[reached]

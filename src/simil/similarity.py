"""How near vectors are: unit length, pairs, matrices, nearest neighbours. NumPy only, memory bounded.

Vectors are rows of a two-dimensional array, float32 unless said otherwise; values must be finite.
Results are float32; one beyond the range of float32 is infinite. Every function raises `InputError`
when shapes do not fit.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, overload

from simil.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

__all__ = [
    "Metric",
    "matrix",
    "matrix_blocks",
    "pairs_above",
    "pairwise",
    "top_k",
    "unit",
    "unit_or_zero",
    "weighted_mean",
]

_BLOCK_VALUES = 1 << 18  # numbers in a block of differences: 2 MB of float64 stays in the cache
_QUERY_ROWS = 512  # queries scored at once against a block of the corpus
_CANCELLED = 1e-6  # below this share of |a|^2 + |b|^2, |a - b|^2 by matrix product has lost its digits


class Metric(StrEnum):
    """How two vectors are compared; a distance is 0 for equal vectors, a similarity is largest."""

    COSINE = "cosine"
    DOT = "dot"
    EUCLIDEAN = "euclidean"
    MANHATTAN = "manhattan"

    @property
    def is_distance(self) -> bool:
        """Whether less means nearer."""
        return self in (Metric.EUCLIDEAN, Metric.MANHATTAN)

    @overload
    def reaches(self, scores: float, threshold: float) -> bool: ...
    @overload
    def reaches(self, scores: NDArray[np.float32], threshold: float) -> NDArray[np.bool_]: ...
    def reaches(self, scores: float | NDArray[np.float32], threshold: float) -> bool | NDArray[np.bool_]:
        """Tell which scores are at least as near as `threshold`.

        Both sides are compared as float32, so that a score of 0.9 reaches a threshold of 0.9.
        """
        import numpy as np

        given = np.asarray(scores, dtype=np.float32)
        limit = np.float32(threshold)
        reached = given <= limit if self.is_distance else given >= limit
        return reached if isinstance(scores, np.ndarray) else bool(reached)


def unit(vectors: Floats) -> NDArray[np.float32]:
    """Return the rows of `vectors` [n, d] scaled to length 1, float32 [n, d].

    Norms are taken in float64 after division by the largest value, so rows of any magnitude come out
    right. Raises `InputError` naming the first row (from 1) that is zero or not finite.
    """
    return _scaled(vectors, zero_allowed=False)


def unit_or_zero(vectors: Floats) -> NDArray[np.float32]:
    """Like `unit`, but a zero row stays zero."""
    return _scaled(vectors, zero_allowed=True)


def weighted_mean(vectors: Floats, weights: Sequence[float] | Floats) -> NDArray[np.float32]:
    """Return the mean of the rows of `vectors` [n, d] by `weights` [n], float32 [d].

    Raises `InputError` when the weights are of another number, negative, not finite or all zero.
    """
    import numpy as np

    rows = _rows(vectors)
    shares = np.asarray(weights, dtype=np.float64)
    if shares.shape != (len(rows),):
        raise InputError(f"{len(rows)} vectors cannot be averaged with weights of shape {shares.shape}")
    if not np.isfinite(shares).all() or (shares < 0).any() or not shares.any():
        raise InputError("weights of a mean must be finite, not negative and not all zero")
    # Divided by the largest first: the sum of huge or tiny weights stays a normal number.
    shares = shares / shares.max()
    mean: NDArray[np.float32] = (shares / shares.sum() @ rows.astype(np.float64)).astype(np.float32)
    return mean


def pairwise(left: Floats, right: Floats, metric: Metric = Metric.COSINE) -> NDArray[np.float32]:
    """Compare row i of `left` [n, d] with row i of `right` [n, d]: float32 [n].

    Raises `InputError` for different shapes, and under cosine for a zero row.
    """
    import numpy as np

    left, right = _rows(left), _rows(right)
    if left.shape != right.shape:
        raise InputError(f"vectors of shape {left.shape} and {right.shape} cannot be compared row by row")
    result = np.empty(len(left), dtype=np.float32)
    step = _rows_in_block(left.shape[1])
    with np.errstate(over="ignore"):
        for start in range(0, len(left), step):
            part = slice(start, start + step)
            a, b = left[part].astype(np.float64), right[part].astype(np.float64)
            if metric is Metric.COSINE:
                a, b = _unit64(a, start), _unit64(b, start)
                result[part] = np.clip(np.einsum("ij,ij->i", a, b), -1, 1)
            elif metric is Metric.DOT:
                result[part] = np.einsum("ij,ij->i", a, b)
            elif metric is Metric.EUCLIDEAN:
                a -= b
                result[part] = np.sqrt(np.einsum("ij,ij->i", a, a))
            else:
                result[part] = np.abs(a - b).sum(axis=1)
    return result


def matrix(left: Floats, right: Floats, metric: Metric = Metric.COSINE) -> NDArray[np.float32]:
    """Compare every row of `left` [n, d] with every row of `right` [m, d]: float32 [n, m].

    `matrix(x, x)` is exactly symmetric; cosine lies in [-1, 1]; a distance between equal rows is
    exactly 0. Raises `InputError` for different dimensions, and under cosine for a zero row.
    """
    first = _prepared(left, metric)
    second = first if left is right else _prepared(right, metric)
    _check_dimensions(first, second)
    return _compare(first, second, metric)


def matrix_blocks(
    left: Floats, right: Floats, metric: Metric = Metric.COSINE, *, rows: int = 1024
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Yield `matrix(left, right, metric)` in pieces: the first row's index and float32 [<= rows, m].

    Memory is bounded by `right` and one piece. Raises as `matrix` does.
    """
    left = _rows(left)
    second = _prepared(right, metric)
    _check_dimensions(left, second)
    for start in range(0, len(left), rows):
        yield start, _compare(_prepared(left[start : start + rows], metric, start), second, metric)


def top_k(
    queries: Floats, corpus: Floats, k: int, *, block_rows: int = 8192
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Find the `k` rows of `corpus` [n, d] with the largest dot product, for each of `queries` [q, d].

    Returns scores float32 [q, min(k, n)] and row indices int64 of the same shape, best first, equal
    scores by lower index. For unit vectors the dot product is the cosine similarity. `corpus` may be
    a `numpy.memmap`; it is read in blocks of `block_rows`.
    """
    import numpy as np

    queries, corpus = _rows(queries), _rows(corpus)
    _check_dimensions(queries, corpus)
    k = max(0, min(k, len(corpus)))
    scores = np.empty((len(queries), k), dtype=np.float32)
    indices = np.empty((len(queries), k), dtype=np.int64)
    if k == 0:
        return scores, indices
    for start in range(0, len(queries), _QUERY_ROWS):
        part = slice(start, start + _QUERY_ROWS)
        asked = np.ascontiguousarray(queries[part], dtype=np.float32)
        scores[part], indices[part] = _top_k_of(asked, corpus, k, block_rows)
    return scores, indices


def pairs_above(
    vectors: Floats, threshold: float, *, block_rows: int = 2048
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]]:
    """Yield all pairs i < j of rows of `vectors` [n, d] whose dot product is at least `threshold`.

    Each yield holds three arrays of one length: i int64, j int64, score float32, ordered by i, then j.
    Pieces come by blocks of i, then of j; empty ones are left out. For unit vectors the dot product
    is the cosine similarity. The threshold is compared as float32.
    """
    import numpy as np

    vectors = _rows(vectors)
    count = len(vectors)
    for top in range(0, count, block_rows):
        a = np.ascontiguousarray(vectors[top : top + block_rows], dtype=np.float32)
        for side in range(top, count, block_rows):
            b = a if side == top else np.ascontiguousarray(vectors[side : side + block_rows], np.float32)
            scores = a @ b.T
            reached = scores >= np.float32(threshold)
            if side == top:
                reached = np.triu(reached, k=1)
            i, j = np.nonzero(reached)
            if len(i):
                yield i + top, j + side, scores[i, j]


def _rows(vectors: Floats) -> Floats:
    import numpy as np

    rows = np.asarray(vectors)
    if rows.ndim != 2:
        raise InputError(f"vectors must be the rows of a table, not an array of shape {rows.shape}")
    return rows


def _check_dimensions(left: Floats, right: Floats) -> None:
    if left.shape[1] != right.shape[1]:
        raise InputError(
            f"vectors of {left.shape[1]} and {right.shape[1]} dimensions cannot be compared",
            hint="make both with the same model and the same --dimensions",
        )


def _rows_in_block(dimensions: int) -> int:
    return max(1, _BLOCK_VALUES // max(1, dimensions))


def _scaled(vectors: Floats, *, zero_allowed: bool, first: int = 0) -> NDArray[np.float32]:
    import numpy as np

    rows = _rows(vectors)
    result = np.empty(rows.shape, dtype=np.float32)
    step = _rows_in_block(rows.shape[1])
    for start in range(0, len(rows), step):
        part = rows[start : start + step].astype(np.float64)
        result[start : start + step] = _unit64(part, first + start, zero_allowed=zero_allowed)
    return result


def _unit64(rows: NDArray[np.float64], first: int, *, zero_allowed: bool = False) -> NDArray[np.float64]:
    """Scale float64 `rows` to length 1 in place; row 0 is called `first` + 1 in errors."""
    import numpy as np

    largest = np.abs(rows).max(axis=1, initial=0)
    bad = ~np.isfinite(largest)
    if bad.any():
        raise InputError(f"vector {first + int(bad.argmax()) + 1} is not finite")
    zero = largest == 0
    if zero.any() and not zero_allowed:
        raise InputError(f"vector {first + int(zero.argmax()) + 1} is zero and has no direction")
    largest[zero] = 1
    rows /= largest[:, None]
    norms = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    norms[zero] = 1
    rows /= norms[:, None]
    return rows


def _prepared(vectors: Floats, metric: Metric, first: int = 0) -> Floats:
    """Bring rows into the form `_compare` takes: unit float32 for cosine, float64 for the rest."""
    import numpy as np

    if metric is Metric.COSINE:
        return _scaled(vectors, zero_allowed=False, first=first)
    return np.ascontiguousarray(_rows(vectors), dtype=np.float64)


def _compare(left: Floats, right: Floats, metric: Metric) -> NDArray[np.float32]:
    import numpy as np

    with np.errstate(over="ignore"):
        if metric is Metric.COSINE:
            result = (left @ right.T).astype(np.float32, copy=False)
            return np.clip(result, -1, 1, out=result)
        if metric is Metric.DOT:
            return (left @ right.T).astype(np.float32)
        if metric is Metric.EUCLIDEAN:
            return _euclidean(left, right).astype(np.float32)
        return _manhattan(left, right)


def _euclidean(left: Floats, right: Floats) -> Floats:
    """Distances by one matrix product; pairs so near that it cancels are taken by their difference."""
    import numpy as np

    sizes = np.einsum("ij,ij->i", left, left)[:, None] + np.einsum("ij,ij->i", right, right)
    squares = left @ right.T
    squares *= -2
    squares += sizes
    sizes *= _CANCELLED
    near, nearer = np.nonzero(squares <= sizes)
    step = _rows_in_block(left.shape[1])
    for start in range(0, len(near), step):
        i, j = near[start : start + step], nearer[start : start + step]
        difference = left[i] - right[j]
        squares[i, j] = np.einsum("ij,ij->i", difference, difference)
    return np.sqrt(squares, out=squares)


def _manhattan(left: Floats, right: Floats) -> NDArray[np.float32]:
    import numpy as np

    result = np.empty((len(left), len(right)), dtype=np.float32)
    pairs = _rows_in_block(left.shape[1])
    wide = max(1, min(len(right), pairs))
    high = max(1, pairs // wide)
    for top in range(0, len(left), high):
        for side in range(0, len(right), wide):
            difference = left[top : top + high, None] - right[None, side : side + wide]
            np.abs(difference, out=difference)
            result[top : top + high, side : side + wide] = difference.sum(axis=2)
    return result


def _top_k_of(
    queries: NDArray[np.float32], corpus: Floats, k: int, block_rows: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Go through the corpus once, keeping the best `k` so far for each query."""
    import numpy as np

    best = np.empty((len(queries), 0), dtype=np.float32)
    where = np.empty((len(queries), 0), dtype=np.int64)
    for start in range(0, len(corpus), block_rows):
        block = np.ascontiguousarray(corpus[start : start + block_rows], dtype=np.float32)
        scores = queries @ block.T
        columns = _best_columns(scores, min(k, len(block)))
        # What is kept lies before the block, so a stable sort leaves equal scores in index order.
        best = np.concatenate([best, np.take_along_axis(scores, columns, axis=1)], axis=1)
        where = np.concatenate([where, columns + start], axis=1)
        order = np.argsort(-best, axis=1, kind="stable")[:, :k]
        best = np.take_along_axis(best, order, axis=1)
        where = np.take_along_axis(where, order, axis=1)
    return best, where


def _best_columns(scores: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """Return the columns of the `k` largest scores of each row, ascending; of equal ones the lowest."""
    import numpy as np

    if k == scores.shape[1]:
        return np.broadcast_to(np.arange(k), scores.shape)
    columns = np.argpartition(scores, -k, axis=1)[:, -k:]
    limit = np.take_along_axis(scores, columns, axis=1).min(axis=1, keepdims=True)
    # Of the columns that tie at the limit, the partition took any; only rows with more of them than
    # fit are worth going through again.
    tied = np.flatnonzero(np.count_nonzero(scores >= limit, axis=1) > k)
    if len(tied):
        above = scores[tied] > limit[tied]
        equal = scores[tied] == limit[tied]
        room = k - np.count_nonzero(above, axis=1, keepdims=True)
        chosen = above | (equal & (np.cumsum(equal, axis=1) <= room))
        columns[tied] = np.nonzero(chosen)[1].reshape(len(tied), k)
    columns.sort(axis=1)
    return columns

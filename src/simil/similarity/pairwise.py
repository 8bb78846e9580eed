"""Metrics, and the scores of vectors row by row or each with each."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, overload

from simil.blas import use_all_cores
from simil.errors import InputError
from simil.similarity.normalization import as_rows, check_dimensions, rows_in_block, scaled, unit64
from simil.similarity.thresholds import DECIMALS, lowest_score

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

__all__ = ["Metric", "matrix", "matrix_blocks", "pairwise"]

_CANCELLED = 1e-6  # below this share of |a|^2 + |b|^2, |a - b|^2 by matrix product has lost its digits


class Metric(StrEnum):
    """How to compare two vectors: a similarity is largest for equal vectors, a distance 0."""

    COSINE = "cosine"
    DOT = "dot"
    EUCLIDEAN = "euclidean"
    MANHATTAN = "manhattan"

    @property
    def is_distance(self) -> bool:
        """Whether a lower score means nearer."""
        return self in (Metric.EUCLIDEAN, Metric.MANHATTAN)

    @overload
    def reaches(self, scores: float, threshold: float, decimals: int = DECIMALS) -> bool: ...
    @overload
    def reaches(
        self, scores: NDArray[np.float32], threshold: float, decimals: int = DECIMALS
    ) -> NDArray[np.bool_]: ...
    def reaches(
        self, scores: float | NDArray[np.float32], threshold: float, decimals: int = DECIMALS
    ) -> bool | NDArray[np.bool_]:
        """Return which scores, as they are printed with `decimals`, are at least as near as `threshold`.

        A score of 0.9 in float32 reaches a threshold of 0.9; see `lowest_score`.
        """
        import numpy as np

        given = np.asarray(scores, dtype=np.float32)
        if self.is_distance:
            reached = given <= -lowest_score(-threshold, decimals)
        else:
            reached = given >= lowest_score(threshold, decimals)
        return reached if isinstance(scores, np.ndarray) else bool(reached)


def pairwise(left: Floats, right: Floats, metric: Metric = Metric.COSINE) -> NDArray[np.float32]:
    """Return the scores of row i of `left` [n, d] with row i of `right` [n, d], float32 [n].

    Raises `InputError` for different shapes and, for cosine, a zero row.
    """
    import numpy as np

    left, right = as_rows(left), as_rows(right)
    if left.shape != right.shape:
        raise InputError(f"vectors of shape {left.shape} and {right.shape} cannot be compared row by row")
    result = np.empty(len(left), dtype=np.float32)
    step = rows_in_block(left.shape[1])
    with np.errstate(over="ignore"):
        for start in range(0, len(left), step):
            part = slice(start, start + step)
            a, b = left[part].astype(np.float64), right[part].astype(np.float64)
            if metric is Metric.COSINE:
                rows = range(start, start + len(a))
                a, b = unit64(a, rows), unit64(b, rows)
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
    """Return the scores of every row of `left` [n, d] with every row of `right` [m, d], float32 [n, m].

    `matrix(x, x)` is exactly symmetric; cosine is in [-1, 1]; the distance of equal rows is exactly 0.
    Raises `InputError` for different dimensions and, for cosine, a zero row.
    """
    first = _prepared(left, metric)
    second = first if left is right else _prepared(right, metric)
    check_dimensions(first, second)
    use_all_cores(len(first) * second.size)
    return _compare(first, second, metric)


def matrix_blocks(
    left: Floats, right: Floats, metric: Metric = Metric.COSINE, *, rows: int = 1024
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Yield `matrix(left, right, metric)` in blocks: the first row's index and float32 [<= rows, m].

    Memory is bounded by `right` and one block. Raises as `matrix` does.
    """
    left = as_rows(left)
    second = _prepared(right, metric)
    check_dimensions(left, second)
    use_all_cores(len(left) * second.size)
    for start in range(0, len(left), rows):
        yield start, _compare(_prepared(left[start : start + rows], metric, start), second, metric)


def _prepared(vectors: Floats, metric: Metric, first: int = 0) -> Floats:
    """Return rows as `_compare` needs them: unit float32 for cosine, float64 for the others."""
    import numpy as np

    if metric is Metric.COSINE:
        return scaled(vectors, zero_allowed=False, first=first)
    return np.ascontiguousarray(as_rows(vectors), dtype=np.float64)


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
    """Return distances by one matrix product, those of near pairs (where it cancels) by difference."""
    import numpy as np

    sizes = np.einsum("ij,ij->i", left, left)[:, None] + np.einsum("ij,ij->i", right, right)
    squares = left @ right.T
    squares *= -2
    squares += sizes
    sizes *= _CANCELLED
    near, nearer = np.nonzero(squares <= sizes)
    step = rows_in_block(left.shape[1])
    for start in range(0, len(near), step):
        i, j = near[start : start + step], nearer[start : start + step]
        difference = left[i] - right[j]
        squares[i, j] = np.einsum("ij,ij->i", difference, difference)
    return np.sqrt(squares, out=squares)


def _manhattan(left: Floats, right: Floats) -> NDArray[np.float32]:
    import numpy as np

    result = np.empty((len(left), len(right)), dtype=np.float32)
    pairs = rows_in_block(left.shape[1])
    wide = max(1, min(len(right), pairs))
    high = max(1, pairs // wide)
    for top in range(0, len(left), high):
        for side in range(0, len(right), wide):
            difference = left[top : top + high, None] - right[None, side : side + wide]
            np.abs(difference, out=difference)
            result[top : top + high, side : side + wide] = difference.sum(axis=2)
    return result

"""Normalization of vectors to length 1, weighted means, and checks of shapes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simil.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

__all__ = [
    "as_rows",
    "check_dimensions",
    "of_length_one",
    "rows_in_block",
    "scaled",
    "unit",
    "unit64",
    "unit_or_zero",
    "weighted_mean",
]

# How far the square of a vector's length may be from 1, as float32 sums it: less than a score's digits.
_NEAR_ONE = 2e-6
_BLOCK_VALUES = 1 << 18  # values per block: 2 MB of float64 stays in the processor's cache


def unit(vectors: Floats) -> NDArray[np.float32]:
    """Return the rows of `vectors` [n, d] scaled to length 1, float32 [n, d].

    Norms are computed in float64 after division by the largest value, so rows of any magnitude are scaled
    correctly. Raises `InputError` naming the first row (from 1) that is zero or not finite.
    """
    return scaled(vectors, zero_allowed=False)


def of_length_one(vectors: NDArray[np.float32], first: int = 0) -> NDArray[np.float32]:
    """Return `vectors` [n, d] with those rows scaled to length 1 that have another, apart from rounding.

    The others keep their bits; the array itself is returned if no row has another length. Raises as `unit`,
    numbering the rows from `first` + 1.
    """
    import numpy as np

    squares = np.einsum("ij,ij->i", vectors, vectors)
    others = np.flatnonzero(~(np.abs(squares - 1) <= _NEAR_ONE))
    if not len(others):
        return vectors
    if len(others) == len(vectors):
        return scaled(vectors, zero_allowed=False, first=first)
    result = vectors.copy()
    step = rows_in_block(vectors.shape[1])
    for start in range(0, len(others), step):
        rows = others[start : start + step]
        result[rows] = unit64(vectors[rows].astype(np.float64), first + rows)
    return result


def unit_or_zero(vectors: Floats) -> NDArray[np.float32]:
    """Like `unit`, but a zero row stays zero."""
    return scaled(vectors, zero_allowed=True)


def weighted_mean(vectors: Floats, weights: Sequence[float] | Floats) -> NDArray[np.float32]:
    """Return the mean of the rows of `vectors` [n, d] weighted by `weights` [n], float32 [d].

    Raises `InputError` if there are not n weights, or if they are negative, not finite or all zero.
    """
    import numpy as np

    rows = as_rows(vectors)
    shares = np.asarray(weights, dtype=np.float64)
    if shares.shape != (len(rows),):
        raise InputError(f"{len(rows)} vectors cannot be averaged with weights of shape {shares.shape}")
    if not np.isfinite(shares).all() or (shares < 0).any() or not shares.any():
        raise InputError("weights of a mean must be finite, not negative and not all zero")
    # Divided by the largest first, so that the sum of huge or tiny weights is a normal number.
    shares = shares / shares.max()
    mean: NDArray[np.float32] = (shares / shares.sum() @ rows.astype(np.float64)).astype(np.float32)
    return mean


def as_rows(vectors: Floats) -> Floats:
    import numpy as np

    rows = np.asarray(vectors)
    if rows.ndim != 2:
        raise InputError(f"vectors must be the rows of a table, not an array of shape {rows.shape}")
    return rows


def check_dimensions(left: Floats, right: Floats) -> None:
    if left.shape[1] != right.shape[1]:
        raise InputError(
            f"vectors of {left.shape[1]} and {right.shape[1]} dimensions cannot be compared",
            hint="make both with the same model and the same --dimensions",
        )


def rows_in_block(dimensions: int) -> int:
    return max(1, _BLOCK_VALUES // max(1, dimensions))


def scaled(vectors: Floats, *, zero_allowed: bool, first: int = 0) -> NDArray[np.float32]:
    import numpy as np

    rows = as_rows(vectors)
    result = np.empty(rows.shape, dtype=np.float32)
    step = rows_in_block(rows.shape[1])
    for start in range(0, len(rows), step):
        part = rows[start : start + step].astype(np.float64)
        numbers = range(first + start, first + start + len(part))
        result[start : start + step] = unit64(part, numbers, zero_allowed=zero_allowed)
    return result


def unit64(
    rows: NDArray[np.float64], numbers: Sequence[int] | NDArray[np.int64], *, zero_allowed: bool = False
) -> NDArray[np.float64]:
    """Scale float64 `rows` to length 1 in place; errors name a row by its number + 1."""
    import numpy as np

    largest = np.abs(rows).max(axis=1, initial=0)
    bad = ~np.isfinite(largest)
    if bad.any():
        raise InputError(f"vector {int(numbers[bad.argmax()]) + 1} is not finite")
    zero = largest == 0
    if zero.any() and not zero_allowed:
        raise InputError(f"vector {int(numbers[zero.argmax()]) + 1} is zero and has no direction")
    largest[zero] = 1
    rows /= largest[:, None]
    norms = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    norms[zero] = 1
    rows /= norms[:, None]
    return rows

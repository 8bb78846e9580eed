"""Dot products of single pairs, exact to the last digit of float32, and checks of their rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from simil.errors import InputError
from simil.similarity.normalization import rows_in_block

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

__all__ = ["Rows", "check_block_rows", "checked_lengths", "float32_rows", "products", "products_by_pair"]


class Rows(Protocol):
    """Rows [n, d] by their numbers: an array, or what reads them where they are stored."""

    def __getitem__(self, rows: NDArray[np.int64], /) -> Floats: ...


_DENSE = 64  # one pair by itself takes as long as this many in a matrix product


def check_block_rows(block_rows: int) -> None:
    if block_rows < 1:
        raise ValueError(f"a block cannot have {block_rows} rows")


def float32_rows(rows: Floats) -> NDArray[np.float32]:
    """Return `rows` as BLAS accepts them, without a copy if they are float32 in C or Fortran order."""
    import numpy as np

    plain = rows.dtype == np.float32 and rows.flags.aligned
    if plain and (rows.flags.c_contiguous or rows.strides[0] == rows.itemsize):
        return rows
    with np.errstate(over="ignore"):
        return rows.astype(np.float32, order="C")


def checked_lengths(
    rows: NDArray[np.float32], numbers: Sequence[int] | NDArray[np.int64], noun: str = "vector"
) -> NDArray[np.float64]:
    """Return the lengths of `rows`; raises `InputError` for a row without direction, by its number + 1."""
    import numpy as np

    # In float64, the square of a float32 is infinite or zero only if the value itself is.
    lengths: NDArray[np.float64] = np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64))
    bad = np.flatnonzero((lengths == 0) | ~np.isfinite(lengths))
    if len(bad):
        what = "is zero and has no direction" if lengths[bad[0]] == 0 else "is not finite"
        raise InputError(f"{noun} {int(numbers[bad[0]]) + 1} {what}")
    return lengths


def products(
    left: NDArray[np.float32], right: NDArray[np.float32], i: NDArray[np.int64], j: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Return the dot products of rows `i` of `left` and `j` of `right`, in float64 and rounded."""
    import numpy as np

    if len(i) * _DENSE < len(left) * len(right):
        return products_by_pair(left, right, i, j)
    with np.errstate(over="ignore"):
        return (left.astype(np.float64) @ right.astype(np.float64).T).astype(np.float32)[i, j]


def products_by_pair(
    left: Floats, right: Rows, i: NDArray[np.int64], j: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Like `products`, in little memory however large the arrays are."""
    import numpy as np

    result = np.empty(len(i), dtype=np.float32)
    step = rows_in_block(left.shape[1])
    with np.errstate(over="ignore"):
        for start in range(0, len(i), step):
            part = slice(start, start + step)
            a, b = (float32_rows(rows).astype(np.float64) for rows in (left[i[part]], right[j[part]]))
            result[part] = np.einsum("ij,ij->i", a, b)
    return result

"""Copies: rows that are equal to an earlier one."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

__all__ = ["count_different", "first_equal"]


def first_equal(vectors: Floats) -> NDArray[np.int64]:
    """Return for each row of `vectors` [n, d] the first row that is equal to it, int64 [n]."""
    import numpy as np

    firsts: dict[bytes, int] = {}
    return np.array([firsts.setdefault(key, row) for row, key in enumerate(_keys(vectors))], np.int64)


def count_different(vectors: Floats, enough: int) -> int:
    """Return the number of different rows of `vectors` [n, d], or `enough` if there are more."""
    found: set[bytes] = set()
    for key in _keys(vectors):
        found.add(key)
        if len(found) == enough:
            break
    return len(found)


def _keys(vectors: Floats) -> Iterator[bytes]:
    for row in vectors:
        # -0 becomes 0: they are equal. A digest takes less memory than the row.
        yield blake2b(row + 0, digest_size=16).digest()

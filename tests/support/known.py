"""Vectors that follow from their keys, so that a wrong one is known for certain."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from simil.embedders.cache.store import VectorCache

__all__ = ["key_of", "marks_of", "put", "vectors_of", "wrong_among"]

DIMENSIONS = 64


def key_of(number: int) -> bytes:
    """Return the key of a made-up text."""
    return hashlib.sha256(str(number).encode()).digest()


def vectors_of(keys: Sequence[bytes]) -> NDArray[np.float32]:
    """Return the only right vectors of `keys`, float32 [n, DIMENSIONS]."""
    data = b"".join(hashlib.shake_128(key).digest(4 * DIMENSIONS) for key in keys)
    bits = np.frombuffer(data, "<u4").reshape(len(keys), DIMENSIONS)
    # The exponents of numbers from 1 to 2: whatever the other bits, they are finite.
    return ((bits >> 9) | 0x3F800000).view("<f4").astype(np.float32)


def marks_of(keys: Sequence[bytes]) -> NDArray[np.uint8]:
    """Return the only right marks of `keys`."""
    return np.array([key[0] % 4 for key in keys], np.uint8)


def put(cache: VectorCache, keys: Sequence[bytes]) -> None:
    """Keep the right vectors of `keys`."""
    cache.put("known", keys, vectors_of(keys), marks_of(keys))


def wrong_among(cache: VectorCache, keys: Sequence[bytes]) -> tuple[set[int], int]:
    """Look up `keys`; return the places of those found, and how many of these are not what they must be."""
    hits = cache.get(keys)
    if hits is None:
        return set(), 0
    found = [keys[row] for row in hits.rows]
    right = (hits.vectors == vectors_of(found)).all(axis=1) & (hits.marks == marks_of(found))
    return set(hits.rows.tolist()), int((~right).sum())

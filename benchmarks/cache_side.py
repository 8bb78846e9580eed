"""Answers how many vectors per second each side writes and reads; see `workers`.

python benchmarks/cache_side.py DIR
"""

from __future__ import annotations

import random
import shutil
import sqlite3
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from workers import serve

from simil.embedders.cache.store import VectorCache

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

__all__ = ["Caches"]

_LARGEST = 1 << 40


class Caches:
    """The same vectors in simil's cache and in a plain table."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def make(self, number: int, dimensions: int, at_once: int) -> None:
        """Create random keys and vectors."""
        chance = random.Random(0)
        self._keys = [chance.randbytes(32) for _ in range(number)]
        self._vectors = np.random.default_rng(0).standard_normal((number, dimensions), np.float32)
        self._at_once = at_once

    def write(self, side: str) -> float:
        """Return the vectors per second written to an empty file."""
        shutil.rmtree(self._folder / side, ignore_errors=True)
        (self._folder / side).mkdir(parents=True)
        began = time.perf_counter()
        if side == "ours":
            self._write_ours(VectorCache(self._folder / side, _LARGEST))
        else:
            self._write_bare(self._bare())
        return len(self._keys) / (time.perf_counter() - began)

    def read(self, side: str) -> float:
        """Return the vectors per second read, including opening the file; raises for a wrong vector."""
        began = time.perf_counter()
        if side == "ours":
            cache = VectorCache(self._folder / side, _LARGEST)
            batches = [self._get(cache, keys) for keys, _ in self._batches()]
            cache.close()
        else:
            bare = self._bare()
            batches = [self._select(bare, keys) for keys, _ in self._batches()]
            bare.close()
        seconds = time.perf_counter() - began
        if not np.array_equal(np.concatenate(batches), self._vectors):
            raise ValueError(f"{side} gave other vectors than it got")
        return len(self._keys) / seconds

    def _batches(self) -> Iterator[tuple[list[bytes], Vectors]]:
        for start in range(0, len(self._keys), self._at_once):
            part = slice(start, start + self._at_once)
            yield self._keys[part], self._vectors[part]

    def _write_ours(self, cache: VectorCache) -> None:
        for keys, vectors in self._batches():
            cache.put("bench", keys, vectors, np.zeros(len(keys), np.bool_))
        cache.close()

    @staticmethod
    def _get(cache: VectorCache, keys: list[bytes]) -> Vectors:
        hits = cache.get(keys)
        if hits is None or len(hits.rows) != len(keys):
            raise ValueError("the cache has lost vectors")
        vectors = np.empty_like(hits.vectors)
        vectors[hits.rows] = hits.vectors
        return vectors

    def _bare(self) -> sqlite3.Connection:
        bare = sqlite3.connect(self._folder / "peer" / "bare.sqlite3")
        bare.execute("CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, value BLOB)")
        return bare

    def _write_bare(self, bare: sqlite3.Connection) -> None:
        for keys, vectors in self._batches():
            rows = ((key, vector.tobytes()) for key, vector in zip(keys, vectors, strict=True))
            with bare:
                bare.executemany("INSERT INTO vectors VALUES (?, ?)", rows)
        bare.close()

    @staticmethod
    def _select(bare: sqlite3.Connection, keys: list[bytes]) -> Vectors:
        found = (bare.execute("SELECT value FROM vectors WHERE key = ?", (key,)).fetchone() for key in keys)
        return np.frombuffer(b"".join(value for (value,) in found), np.float32).reshape(len(keys), -1)


if __name__ == "__main__":
    caches = Caches(Path(sys.argv[1]))
    serve({"make": caches.make, "write": caches.write, "read": caches.read})

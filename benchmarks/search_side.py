"""Answers how long each side takes to find nearest neighbours among many vectors; see `workers`."""

from __future__ import annotations

import time
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
from limits_side import sgemm_gflops
from workers import serve

from simil.similarity import top_k

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]
    Found = tuple[Vectors, NDArray[np.int64]]

__all__ = ["Search"]

# One query takes milliseconds, so it is repeated this often; the median counts.
_OFTEN = 7
_AT_ONCE = 1 << 16


class Search:
    """The vectors in memory, in a file, and in faiss if installed."""

    def make(self, path: str, rows: int, dimensions: int, queries: int) -> bool:
        """Create random unit vectors and queries; return whether faiss is available."""
        random = np.random.default_rng(0)
        self.queries = _units(random, queries, dimensions)
        self.matrix = np.empty((rows, dimensions), np.float32)
        for start in range(0, rows, _AT_ONCE):
            part = self.matrix[start : start + _AT_ONCE]
            part[:] = _units(random, len(part), dimensions)
        np.save(path, self.matrix)
        self.mapped: Vectors = np.load(path, mmap_mode="r")
        try:
            faiss = import_module("faiss")
        except ImportError:
            return False
        self.index: Any = faiss.IndexFlatIP(dimensions)
        self.index.add(self.matrix)
        return True

    def seconds(self, side: str, queries: int, k: int) -> float:
        """Return how long a side takes for the first queries; raises unless it finds the same rows."""
        asked = self.queries[:queries]
        taken = []
        for _ in range(_OFTEN if queries == 1 else 1):
            began = time.perf_counter()
            found = self._found(side, asked, k)
            taken.append(time.perf_counter() - began)
        if found is not None:
            self._check(found, side, queries, k)
        return float(np.median(taken))

    def _found(self, side: str, asked: Vectors, k: int) -> Found | None:
        if side in ("product", "mapped product"):
            _ = (self.matrix if side == "product" else self.mapped) @ asked[0]
            return None
        if side in ("simil", "mapped simil"):
            return top_k(asked, self.matrix if side == "simil" else self.mapped, k)
        if side == "faiss":
            scores, rows = self.index.search(asked, k)
            return scores, rows
        return _bare(asked, self.matrix, k)

    @cache  # noqa: B019 (one object, as long as the process)
    def _expected(self, queries: int, k: int) -> Found:
        return _bare(self.queries[:queries], self.matrix, k)

    def _check(self, found: Found, side: str, queries: int, k: int) -> None:
        """Raise unless the scores equal those of the plain script, and belong to the rows."""
        scores, rows = found
        if not np.allclose(scores, self._expected(queries, k)[0], atol=1e-5):
            raise ValueError(f"{side} found other neighbours")
        of_rows = np.einsum("qd,qkd->qk", self.queries[:queries], self.matrix[rows])
        if not np.allclose(scores, of_rows, atol=1e-5):
            raise ValueError(f"{side} found rows that have other scores")


def _units(random: np.random.Generator, rows: int, dimensions: int) -> Vectors:
    vectors = random.standard_normal((rows, dimensions), np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def _bare(queries: Vectors, matrix: Vectors, k: int) -> Found:
    """The usual script: all scores, the k largest, in order."""
    scores: Vectors
    scores = (matrix @ queries[0])[None] if len(queries) == 1 else queries @ matrix.T
    nearest = np.argpartition(scores, -k, axis=1)[:, -k:]
    best = np.take_along_axis(scores, nearest, axis=1)
    order = np.argsort(-best, axis=1)
    return np.take_along_axis(best, order, axis=1), np.take_along_axis(nearest, order, axis=1)


if __name__ == "__main__":
    search = Search()
    serve({"make": search.make, "seconds": search.seconds, "sgemm": sgemm_gflops})

"""Makes many vectors of few texts, and searches for them in a Lance dataset; see `workers`."""

from __future__ import annotations

import time
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.format import open_memmap
from workers import serve

from simil.index.nearest import Nearest, nearest
from simil.similarity import top_k
from simil.vectors.stored_vectors import StoredVectors

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

__all__ = ["LanceSearch"]

_AT_ONCE = 1 << 15
_NOISE = 0.5  # the length of what is added to a vector of length 1


class LanceSearch:
    """The vectors and queries in the current folder."""

    def make(self, rows: int, queries: int) -> None:
        """Write vectors and queries, always the same."""
        texts = np.load("texts.npy")
        random = np.random.default_rng(0)
        vectors = open_memmap("vectors.npy", "w+", np.float32, (rows, texts.shape[1]))
        for start in range(0, rows, _AT_ONCE):
            which = np.arange(start, min(start + _AT_ONCE, rows)) % len(texts)
            vectors[start : start + len(which)] = _near(texts[which], random)
        asked = _near(texts[random.choice(len(texts), queries)], random)
        np.save("queries.npy", asked)
        np.save("query.npy", asked[:1])

    def open(self, k: int) -> None:
        """Open the dataset; the index is used however few rows there are."""
        self.k = k
        self.stored = StoredVectors.open("vectors.lance")
        self.queries: Vectors = np.load("queries.npy")

    def one_by_one(self) -> float:
        """Return how long all queries take by themselves."""
        began = time.perf_counter()
        for query in self.queries:
            self._found(query[None])
        return time.perf_counter() - began

    def together(self) -> float:
        """Return how long all queries take in one call."""
        began = time.perf_counter()
        self._found(self.queries)
        return time.perf_counter() - began

    def recall(self) -> float:
        """Return the mean share of the nearest rows that are found."""
        pairs = zip(self._rows.tolist(), self._exact[1].tolist(), strict=True)
        return float(np.mean([len({*found} & {*exact}) / self.k for found, exact in pairs]))

    def equal(self) -> bool:
        """Return whether every score is that of an exact search, for all rows that both find."""
        scores, rows = self._exact
        for number, found in enumerate(self._rows):
            shared, ours, theirs = np.intersect1d(found, rows[number], return_indices=True)
            if not len(shared) or (self._answer.scores[number][ours] != scores[number][theirs]).any():
                return False
        return True

    def _found(self, queries: Vectors) -> Nearest:
        return nearest(self.stored, queries, self.k, index_from=0)

    @cached_property
    def _answer(self) -> Nearest:
        return self._found(self.queries)

    @cached_property
    def _rows(self) -> NDArray[np.int64]:
        """The numbers of the rows that were found."""
        return self.stored.numbers(self._answer.row_ids.ravel()).reshape(self._answer.row_ids.shape)

    @cached_property
    def _exact(self) -> tuple[Vectors, NDArray[np.int64]]:
        return top_k(self.queries, np.load("vectors.npy", mmap_mode="r"), self.k)


def _near(vectors: Vectors, random: np.random.Generator) -> Vectors:
    """Return vectors of length 1 near the given ones."""
    noise = random.standard_normal(vectors.shape, np.float32) * np.float32(_NOISE / vectors.shape[1] ** 0.5)
    near = vectors + noise
    scaled: Vectors = near / np.linalg.norm(near, axis=1, keepdims=True)
    return scaled


if __name__ == "__main__":
    search = LanceSearch()
    serve(
        {
            name: getattr(search, name)
            for name in ("make", "open", "one_by_one", "together", "recall", "equal")
        }
    )

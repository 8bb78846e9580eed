"""Any embedder, wrapped: texts seen before come from the cache, the rest are embedded and kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from simil.embedders.base import Embedder, Kind, Piece, counted_as
from simil.embedders.cache.recipe import Recipe
from simil.embedders.cache.store import Hits, VectorCache

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["CachedEmbedder"]

# New vectors are written when so many are there, or so many seconds have passed: a run that is
# interrupted or killed loses no more.
_ROWS, _SECONDS = 1024, 1.0


class CachedEmbedder(Embedder):
    """Gives the vectors of the embedder that `open_embedder` opens, which it does for the first new text."""

    def __init__(
        self, stamp: str, recipe: Recipe, cache: VectorCache, open_embedder: Callable[[], Embedder]
    ) -> None:
        self.stamp = stamp
        self._recipe = recipe
        self._cache = cache
        self._open = open_embedder
        self._opened: Embedder | None = None
        self._begun: set[bytes] = set()

    def embed_batch(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed without the cache; see `Embedder.embed_batch`."""
        return self._embedder().embed_batch(texts)

    def start(
        self, texts: Sequence[str], kind: Kind, *, dimensions: int | None, normalize: bool
    ) -> Iterator[Piece]:
        """Look up all texts and begin to embed the new ones; see `Embedder.start`."""
        keys = self._recipe.keys(texts, kind, dimensions, normalize=normalize)

        def begin(rows: Sequence[int]) -> Iterator[Piece]:
            return self._begin(rows, texts, kind, dimensions, normalize)

        hits = self._cache.get(keys)
        found = set(hits.rows.tolist()) if hits else set()
        missing = [row for row in range(len(keys)) if row not in found]
        # An earlier batch that nobody has waited for yet may be at the same text.
        waiting = [row for row in missing if keys[row] in self._begun]
        new = [row for row in missing if keys[row] not in self._begun]
        pieces = begin(new)
        mine = {keys[row] for row in new}
        self._begun |= mine
        return self._merged(hits, pieces, keys, mine, waiting, begin)

    def close(self) -> None:
        """Close the embedder, if it was needed, and the cache."""
        if self._opened is not None:
            self._opened.close()
        self._cache.close()

    def _embedder(self) -> Embedder:
        if self._opened is None:
            self._opened = self._open()
        return self._opened

    def _begin(
        self, rows: Sequence[int], texts: Sequence[str], kind: Kind, dimensions: int | None, normalize: bool
    ) -> Iterator[Piece]:
        """Begin to embed some rows; the pieces, and what is refused, count among all of them."""
        if not rows:
            return iter(())
        chosen = [texts[row] for row in rows]
        with counted_as(rows.__getitem__):
            pieces = self._embedder().start(chosen, kind, dimensions=dimensions, normalize=normalize)
        return _moved(pieces, rows)

    def _merged(
        self,
        hits: Hits | None,
        pieces: Iterator[Piece],
        keys: Sequence[bytes],
        mine: set[bytes],
        waiting: Sequence[int],
        begin: Callable[[Sequence[int]], Iterator[Piece]],
    ) -> Iterator[Piece]:
        try:
            yield from _piece(hits)
            yield from self._kept(pieces, keys)
        finally:
            self._begun -= mine
        if waiting:
            hits = self._cache.get([keys[row] for row in waiting])
            for piece in _piece(hits, waiting):
                yield piece
                waiting = sorted({*waiting} - set(piece.rows.tolist()))
            yield from self._kept(begin(waiting), keys)

    def _kept(self, pieces: Iterator[Piece], keys: Sequence[bytes]) -> Iterator[Piece]:
        """Pass on the pieces and write them to the cache, the last ones also where the run ends early."""
        pending: list[Piece] = []
        written = time.monotonic()
        try:
            for piece in pieces:
                pending.append(piece)
                yield piece
                rows = sum(len(one.rows) for one in pending)
                if rows >= _ROWS or time.monotonic() - written >= _SECONDS:
                    self._write(pending, keys)
                    pending, written = [], time.monotonic()
        finally:
            self._write(pending, keys)

    def _write(self, pieces: Sequence[Piece], keys: Sequence[bytes]) -> None:
        import numpy as np

        if pieces:
            rows = np.concatenate([piece.rows for piece in pieces])
            vectors = np.concatenate([piece.vectors for piece in pieces])
            cut = np.concatenate([piece.cut for piece in pieces])
            self._cache.put(self.stamp, [keys[row] for row in rows], vectors, cut)


def _moved(pieces: Iterator[Piece], rows: Sequence[int]) -> Iterator[Piece]:
    import numpy as np

    places = np.array(rows, np.intp)
    with counted_as(rows.__getitem__):
        for piece in pieces:
            yield Piece(places[piece.rows], piece.vectors, piece.cut)


def _piece(hits: Hits | None, places: Sequence[int] | None = None) -> Iterator[Piece]:
    """Yield what was found as a piece; `places` are those of the keys that were looked up."""
    import numpy as np

    if hits is not None:
        rows = hits.rows if places is None else np.array(places, np.intp)[hits.rows]
        yield Piece(rows, hits.vectors, hits.cut)

"""A wrapper for any embedder: texts seen before come from the cache, the others are embedded and kept."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from simil.embedders.base import Embedder, Kind, Piece, TextRejected, VectorForm
from simil.embedders.cache.keys import KeyBuilder
from simil.embedders.cache.store import Hits, VectorCache
from simil.embedders.pieces import StoredVector, passed_to, reindex
from simil.errors import ProviderError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from simil.embedders.cache.served_model import ServedModel
    from simil.embedders.local.workers import Workers
    from simil.embedders.usage import Plan

__all__ = ["CacheWriter", "CachedEmbedder", "hit_piece", "look_up"]

# New vectors are written once there are this many, or after this many seconds: a killed run loses at most
# twice as many, an interrupted one none that is computed.
_ROWS, _SECONDS = 1024, 1.0
_KEPT = "what was embedded is kept in the cache"


class CachedEmbedder(Embedder):
    """Gives the vectors of an embedder, which `open_embedder` opens for the first new text."""

    def __init__(
        self,
        stamp: str,
        key_builder: KeyBuilder,
        cache: VectorCache,
        open_embedder: Callable[[], Embedder],
        on_unopened: Callable[[], None] = lambda: None,
    ) -> None:
        """Open nothing yet; `on_unopened` is called at the end if all vectors came from the cache."""
        self.stamp = stamp
        self._key_builder = key_builder
        self._cache = cache
        self._open = open_embedder
        self._on_unopened = on_unopened
        self._gave_hits = False
        self._opened: Embedder | None = None
        self._begun: set[bytes] = set()
        self.at_close = ExitStack()
        self.served: ServedModel | None = None

    @property
    def kept(self) -> int:
        """See `Embedder.kept`."""
        return self._cache.kept

    def embed_batch(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed without the cache; see `Embedder.embed_batch`."""
        return self._embedder().embed_batch(texts)

    def start(
        self, texts: Sequence[str], kind: Kind, form: VectorForm, keep: Callable[[Piece], None] | None = None
    ) -> Iterator[Piece | TextRejected]:
        """Look up all texts and begin to embed the new ones; see `Embedder.start`."""
        keys = self.checked_keys(texts, kind, form)
        hits, missing = look_up(self._cache, keys)
        if hits is not None:
            self._note_hits()
        # An earlier batch may still be embedding the same text.
        waiting = [row for row in missing if keys[row] in self._begun]
        new = [row for row in missing if keys[row] not in self._begun]

        def begin(rows: Sequence[int]) -> Iterator[Piece | TextRejected]:
            return self._begin([texts[row] for row in rows], [keys[row] for row in rows], kind, form)

        pieces = begin(new)
        mine = {keys[row] for row in new}
        self._begun |= mine
        merged = self._merged(hits, reindex(pieces, new), keys, mine, waiting, begin)
        return merged if keep is None else passed_to(keep, merged)

    def keys(self, texts: Sequence[str], kind: Kind, form: VectorForm) -> list[bytes]:
        """Return what the texts' vectors are kept under; see `KeyBuilder.keys`."""
        return self._key_builder.keys(texts, kind, form)

    def keep_everything(self) -> None:
        """Let the cache grow beyond its size for this run, which needs all that it puts there."""
        self._cache.max_bytes = sys.maxsize

    def is_writable(self) -> bool:
        """Return whether new vectors are kept; why not is logged."""
        return self._cache.is_writable()

    def put(self, keys: Sequence[bytes], piece: Piece) -> None:
        """Keep vectors that came on another way than `start`; `piece` has a row for each key, in order."""
        self._cache.put(self._space(), keys, piece.vectors, piece.marks)

    def missing(self, texts: Sequence[str], kind: Kind, form: VectorForm) -> list[int]:
        """Return the places of the texts that are not in the cache; see `Embedder.missing`."""
        return look_up(self._cache, self._key_builder.keys(texts, kind, form))[1]

    def stored(self, texts: Sequence[str], kind: Kind, form: VectorForm) -> Sequence[StoredVector] | None:
        """Return the vectors of `texts` if all are in the cache; see `Embedder.stored`."""
        keys = self.checked_keys(texts, kind, form)
        found = self._cache.find(keys)
        if len(found) < len({*keys}):
            return None
        self._note_hits()
        return [StoredVector(found[key].vector, found[key].marks) for key in keys]

    def plan(self) -> Plan | None:
        """Return a plan that counts requests; see `Embedder.plan`."""
        return self._embedder().plan() if self.is_paid else None

    def token_counts(self, texts: Sequence[str], kind: Kind) -> Sequence[int]:
        """Return how many tokens the embedder reads of each text; see `Embedder.token_counts`."""
        return self._embedder().token_counts(texts, kind)

    def status(self) -> str:
        """Return what the embedder waits for; see `Embedder.status`."""
        return self._opened.status() if self._opened is not None else ""

    def close(self) -> None:
        """Close the embedder, if it was opened, and the cache."""
        if self._opened is not None:
            self._opened.close()
        elif self._gave_hits:
            self._on_unopened()
        self._cache.close()
        self.at_close.close()

    def checked_keys(self, texts: Sequence[str], kind: Kind, form: VectorForm) -> list[bytes]:
        """Return the keys of the texts, once the cache has no vectors of a model that a server had before."""
        keys = self._key_builder.keys(texts, kind, form)
        if self.served is not None:
            self.served.check(self._cache, texts, keys, kind, form)
        return keys

    def _space(self) -> str:
        return self.stamp if self.served is None else self.served.space

    @property
    def source(self) -> Embedder:
        """The embedder behind the cache, opened."""
        return self._embedder()

    def _note_hits(self) -> None:
        self._gave_hits = True
        if self.is_paid:
            self._embedder().trust()

    def _embedder(self) -> Embedder:
        if self._opened is None:
            self._opened = self._open()
            self.read_ahead = self._opened.read_ahead
        return self._opened

    def _begin(
        self, texts: Sequence[str], keys: Sequence[bytes], kind: Kind, form: VectorForm
    ) -> Iterator[Piece | TextRejected]:
        """Begin to embed new texts and to keep their vectors; places in the pieces are those in `texts`."""
        if not texts:
            return iter(())
        writer = CacheWriter(self._cache, self._space, keys, at_once=self.is_paid)
        return writer.flushed(self._embedder().start(texts, kind, form, writer.add))

    def _merged(
        self,
        hits: Hits | None,
        pieces: Iterator[Piece | TextRejected],
        keys: Sequence[bytes],
        mine: set[bytes],
        waiting: Sequence[int],
        begin: Callable[[Sequence[int]], Iterator[Piece | TextRejected]],
    ) -> Iterator[Piece | TextRejected]:
        try:
            yield from hit_piece(hits)
            yield from pieces
        except ProviderError as exc:
            self._say_what_is_kept(exc)
            raise
        finally:
            self._begun -= mine
        if waiting:
            hits, missing = look_up(self._cache, [keys[row] for row in waiting])
            yield from reindex(hit_piece(hits), waiting)
            rest = [waiting[place] for place in missing]
            yield from reindex(begin(rest), rest)

    def _say_what_is_kept(self, error: ProviderError) -> None:
        if self._cache.kept and _KEPT not in error.hint:
            error.hint = "; ".join(filter(None, [error.hint, _KEPT]))


class CacheWriter:
    """Writes new vectors to the cache: paid ones at once, others several pieces at a time.

    A thread writes what comes fast, while the next pieces are computed; two writes never wait at a time.
    """

    def __init__(
        self, cache: VectorCache, space: Callable[[], str], keys: Sequence[bytes], *, at_once: bool
    ) -> None:
        """`space` is asked at each write: it may name what a server's answer has just said."""
        self._cache = cache
        self._space = space
        self._keys = keys
        self._at_once = at_once
        self._pending: list[Piece] = []
        self._written = time.monotonic()
        self._thread: Workers[Sequence[Piece], None] | None = None
        self._writing: Iterator[None] = iter(())

    def add(self, piece: Piece) -> None:
        """Write the piece, now or soon; several threads may call this only if `at_once`."""
        if self._at_once:
            self._write([piece])
            return
        self._pending.append(piece)
        if sum(len(one.rows) for one in self._pending) >= _ROWS:
            self._hand_over()
        elif time.monotonic() - self._written >= _SECONDS:
            self._flush()

    def keeping(self, pieces: Iterator[Piece | TextRejected]) -> Iterator[Piece | TextRejected]:
        """Pass on the pieces, and write their vectors."""
        return self.flushed(passed_to(self.add, pieces))

    def flushed(self, pieces: Iterator[Piece | TextRejected]) -> Iterator[Piece | TextRejected]:
        """Pass on the pieces, and write the last ones even if the run ends early."""
        try:
            yield from pieces
        finally:
            self._flush()
            if self._thread is not None:
                self._thread.close()

    def _hand_over(self) -> None:
        """Have the thread write what is pending, as soon as it has written what came before."""
        from simil.embedders.local.workers import Workers

        self._wait()
        self._thread = self._thread or Workers(1, self._write)
        self._writing = self._thread.start([self._taken()])

    def _flush(self) -> None:
        self._wait()
        if pieces := self._taken():
            self._write(pieces)

    def _wait(self) -> None:
        for _ in self._writing:
            pass

    def _taken(self) -> Sequence[Piece]:
        """Return what is pending, which no longer is."""
        pieces, self._pending = self._pending, []
        self._written = time.monotonic()
        return pieces

    def _write(self, pieces: Sequence[Piece]) -> None:
        import numpy as np

        rows = np.concatenate([piece.rows for piece in pieces])
        vectors = np.concatenate([piece.vectors for piece in pieces])
        marks = np.concatenate([piece.marks for piece in pieces])
        self._cache.put(self._space(), [self._keys[row] for row in rows], vectors, marks)


def look_up(cache: VectorCache, keys: Sequence[bytes]) -> tuple[Hits | None, list[int]]:
    """Return what the cache has of `keys`, and the places of the missing ones."""
    hits = cache.get(keys)
    found = set(hits.rows.tolist()) if hits else set()
    return hits, [row for row in range(len(keys)) if row not in found]


def hit_piece(hits: Hits | None) -> Iterator[Piece]:
    """Yield the hits as a piece, if there are any."""
    if hits is not None:
        yield Piece(hits.rows, hits.vectors, hits.marks)

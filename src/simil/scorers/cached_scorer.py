"""A wrapper for any scorer: pairs scored before come from the cache, the others are scored and kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from simil.embedders.base import Kind
from simil.embedders.cache.cached_embedder import CacheWriter, hit_piece, look_up
from simil.embedders.cache.keys import KeyBuilder
from simil.embedders.cache.store import VectorCache
from simil.embedders.pieces import Piece, TextRejected, VectorForm, reindex
from simil.scorers.base import Pair, Scorer

__all__ = ["CachedScorer", "pair_keys"]

_AS_IT_IS = VectorForm(normalize=False)


class CachedScorer(Scorer):
    """Gives the scores of a scorer, which `open_scorer` opens for the first new pair."""

    def __init__(
        self,
        stamp: str,
        key_builder: KeyBuilder,
        cache: VectorCache,
        open_scorer: Callable[[], Scorer],
        on_unopened: Callable[[], None] = lambda: None,
    ) -> None:
        """Open nothing yet; `on_unopened` is called at the end if all scores came from the cache."""
        self.stamp = stamp
        self._key_builder = key_builder
        self._cache = cache
        self._open = open_scorer
        self._opened: Scorer | None = None
        self._on_unopened = on_unopened
        self._gave_hits = False

    def start(self, pairs: Sequence[Pair]) -> Iterator[Piece | TextRejected]:
        """Look up all pairs and score the new ones; see `Scorer.start`."""
        keys = pair_keys(self._key_builder, pairs)
        hits, missing = look_up(self._cache, keys)
        self._gave_hits = self._gave_hits or hits is not None
        yield from hit_piece(hits)
        if missing:
            if self._opened is None:
                self._opened = self._open()
            new = [keys[row] for row in missing]
            writer = CacheWriter(self._cache, lambda: self.stamp, new, at_once=False)
            pieces = writer.keeping(self._opened.start([pairs[row] for row in missing]))
            yield from reindex(pieces, missing)

    def close(self) -> None:
        """Close the scorer, if it was opened, and the cache."""
        if self._opened is not None:
            self._opened.close()
        elif self._gave_hits:
            self._on_unopened()
        self._cache.close()


def pair_keys(key_builder: KeyBuilder, pairs: Sequence[Pair]) -> list[bytes]:
    """Return the cache key of each pair."""
    # The length says where the first text ends.
    joined = [f"{len(first)} {first}{second}" for first, second in pairs]
    return key_builder.keys(joined, Kind.SYMMETRIC, _AS_IT_IS)

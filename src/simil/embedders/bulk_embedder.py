"""An embedder that gives few texts to a model on the processor, which starts at once, and many to a GPU."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING

from simil.embedders.base import Embedder, Kind, Piece, TextRejected, VectorForm
from simil.embedders.pieces import StoredVector, passed_to, reindex
from simil.errors import ModelError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["BulkEmbedder"]

log = logging.getLogger("simil")


class BulkEmbedder(Embedder):
    """The same model in two places; the second one is taken once there are many new texts.

    A vector that either has in its cache is not computed again. If the second one cannot be opened or fails,
    the first does the rest of the run.
    """

    def __init__(
        self,
        stamp: str,
        few: Callable[[], Embedder],
        many: Callable[[], Embedder],
        *,
        outgrows: Callable[[Sequence[str]], bool],
        is_cached: bool,
    ) -> None:
        """Open nothing yet.

        `outgrows` is called with the new texts of each batch, and says whether those so far are many.
        `is_cached` is whether both look texts up before they open a model.
        """
        self.stamp = stamp
        self._few_of = few
        self._many_of = many
        self._outgrows = outgrows
        self._is_cached = is_cached
        self._are_many = False
        self._gave_up = False

    def embed_batch(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed in the first place; see `Embedder.embed_batch`."""
        return self._few.embed_batch(texts)

    def start(
        self, texts: Sequence[str], kind: Kind, form: VectorForm, keep: Callable[[Piece], None] | None = None
    ) -> Iterator[Piece | TextRejected]:
        """Look up all texts and begin to embed the new ones; see `Embedder.start`."""
        few, many, new = self._looked_up(texts, kind, form)
        if new:
            (many if self._takes_many([texts[row] for row in new]) else few).extend(new)
        parts = [
            reindex(start([texts[row] for row in rows], kind, form), rows)
            for rows, start in ((few, self._start_few), (many, self._start_many))
            if rows
        ]
        pieces = chain.from_iterable(parts)
        return pieces if keep is None else passed_to(keep, pieces)

    def missing(self, texts: Sequence[str], kind: Kind, form: VectorForm) -> list[int]:
        """Return the places of the texts that neither has in its cache; see `Embedder.missing`."""
        return self._looked_up(texts, kind, form)[2]

    def stored(self, texts: Sequence[str], kind: Kind, form: VectorForm) -> Sequence[StoredVector] | None:
        """Return the vectors of `texts` if the first one has all of them; see `Embedder.stored`."""
        return self._few.stored(texts, kind, form) if self._is_cached else None

    def token_counts(self, texts: Sequence[str], kind: Kind) -> Sequence[int]:
        """Return how many tokens the first one reads of each text; see `Embedder.token_counts`."""
        return self._few.token_counts(texts, kind)

    def close(self) -> None:
        """Close what was opened."""
        for name in ("_few", "_many"):
            if name in self.__dict__:
                getattr(self, name).close()

    @cached_property
    def _few(self) -> Embedder:
        return self._few_of()

    @cached_property
    def _many(self) -> Embedder:
        return self._many_of()

    def _looked_up(
        self, texts: Sequence[str], kind: Kind, form: VectorForm
    ) -> tuple[list[int], list[int], list[int]]:
        """Return the places of the texts that the first one has, that the second one has, and of the rest."""
        rows = list(range(len(texts)))
        if not self._is_cached:
            return [], [], rows
        new = self._few.missing(texts, kind, form)
        left = [new[place] for place in self._missing_of_many([texts[row] for row in new], kind, form)]
        return _without(rows, new), _without(new, left), left

    def _missing_of_many(self, texts: Sequence[str], kind: Kind, form: VectorForm) -> list[int]:
        if texts:
            try:
                return self._many.missing(texts, kind, form)
            except ModelError as exc:
                self._give_up(exc)
        return list(range(len(texts)))

    def _takes_many(self, new: Sequence[str]) -> bool:
        if not (self._are_many or self._gave_up):
            self._are_many = self._outgrows(new)
        return self._are_many and not self._gave_up

    def _start_few(
        self, texts: Sequence[str], kind: Kind, form: VectorForm
    ) -> Iterator[Piece | TextRejected]:
        return self._few.start(texts, kind, form)

    def _start_many(
        self, texts: Sequence[str], kind: Kind, form: VectorForm
    ) -> Iterator[Piece | TextRejected]:
        try:
            pieces = self._many.start(texts, kind, form)
        except ModelError as exc:
            self._give_up(exc)
            return self._few.start(texts, kind, form)
        if self._are_many:
            self.read_ahead = self._many.read_ahead
        return self._completed(pieces, texts, kind, form)

    def _completed(
        self, pieces: Iterator[Piece | TextRejected], texts: Sequence[str], kind: Kind, form: VectorForm
    ) -> Iterator[Piece | TextRejected]:
        """Yield the pieces of the second one and, if it fails, those of the first one for what is left."""
        left = set(range(len(texts)))
        try:
            for piece in pieces:
                left.difference_update(
                    [piece.index] if isinstance(piece, TextRejected) else piece.rows.tolist()
                )
                yield piece
        except ModelError as exc:
            self._give_up(exc)
            rows = sorted(left)
            yield from reindex(self._few.start([texts[row] for row in rows], kind, form), rows)

    def _give_up(self, exc: ModelError) -> None:
        if not self._gave_up:
            self._gave_up = True
            log.info("no GPU is used: %s", exc)


def _without(rows: Sequence[int], others: Sequence[int]) -> list[int]:
    gone = set(others)
    return [row for row in rows if row not in gone]

"""The vectors that one stream of texts had last: what it repeats is neither computed nor looked up again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from itertools import chain
from typing import TYPE_CHECKING

from simil.embedders.pieces import Piece, TextRejected, reindex

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["RecentVectors"]

_MOST_BYTES = 1 << 25
_BESIDE_BYTES = 256  # what a vector takes in memory beside its numbers


class RecentVectors:
    """Remembers vectors by digests of their texts, the last ones of up to 32 MB.

    All texts are of one kind, for one embedder, and with vectors in one form.
    """

    def __init__(self) -> None:
        self._found: dict[bytes, tuple[NDArray[np.float32], int]] = {}
        self._bytes = 0

    def completed(
        self, texts: Sequence[str], start: Callable[[Sequence[str]], Iterator[Piece | TextRejected]]
    ) -> Iterator[Piece | TextRejected]:
        """Return the pieces of distinct `texts`; those that are not remembered are started at once."""
        keys = [*map(_digest, texts)]
        known = [row for row, key in enumerate(keys) if key in self._found]
        if not known:
            return self._remembered(start(texts), keys)
        rest = [row for row, key in enumerate(keys) if key not in self._found]
        pieces = reindex(start([texts[row] for row in rest]), rest) if rest else iter(())
        return chain([self._piece(keys, known)], self._remembered(pieces, keys))

    def _piece(self, keys: Sequence[bytes], rows: Sequence[int]) -> Piece:
        import numpy as np

        vectors, marks = zip(*(self._found[keys[row]] for row in rows), strict=True)
        return Piece(np.array(rows), np.stack(vectors), np.array(marks, np.uint8))

    def _remembered(
        self, pieces: Iterator[Piece | TextRejected], keys: Sequence[bytes]
    ) -> Iterator[Piece | TextRejected]:
        for piece in pieces:
            if isinstance(piece, Piece):
                self._remember(piece, keys)
            yield piece

    def _remember(self, piece: Piece, keys: Sequence[bytes]) -> None:
        # Others may change what they are given.
        vectors = piece.vectors.copy()
        for row, vector, mark in zip(piece.rows.tolist(), vectors, piece.marks.tolist(), strict=True):
            if keys[row] not in self._found:
                self._found[keys[row]] = vector, mark
                self._bytes += vector.nbytes + _BESIDE_BYTES
        while self._bytes > _MOST_BYTES:
            vector, _ = self._found.pop(next(iter(self._found)))
            self._bytes -= vector.nbytes + _BESIDE_BYTES


def _digest(text: str) -> bytes:
    # A text may hold half of a surrogate pair, which its embedder refuses.
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()

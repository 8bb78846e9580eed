"""A wrapper for any embedder: the vectors of texts that a dataset has come from there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from simil.embedders.base import Embedder, Kind, Piece, TextRejected, VectorForm
from simil.embedders.pieces import passed_to, reindex

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from simil.embedders.usage import Plan
    from simil.vectors.stored_texts import StoredTexts

__all__ = ["StoredEmbedder"]


class StoredEmbedder(Embedder):
    """Gives the vectors of a dataset, and those of an embedder for texts that it does not have.

    The texts of the dataset were embedded as all texts will be: whoever opens it checks that, but for the
    length of vectors, which may be known only when the first new text is embedded.
    """

    def __init__(self, embedder: Embedder, texts: StoredTexts) -> None:
        self.stamp = embedder.stamp
        self.dimensions = embedder.dimensions
        self.folder = embedder.folder
        self.metric = embedder.metric
        self.is_paid = embedder.is_paid
        self.read_ahead = embedder.read_ahead
        self.usage = embedder.usage
        self._embedder = embedder
        self._texts = texts

    def embed_batch(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed without the dataset; see `Embedder.embed_batch`."""
        return self._embedder.embed_batch(texts)

    def start(
        self, texts: Sequence[str], kind: Kind, form: VectorForm, keep: Callable[[Piece], None] | None = None
    ) -> Iterator[Piece | TextRejected]:
        """Look up all texts and begin to embed the new ones; see `Embedder.start`."""
        import numpy as np

        places, vectors = self._texts.find(texts)
        found = {*places}
        rest = [place for place in range(len(texts)) if place not in found]
        new = self._embedder.start([texts[place] for place in rest], kind, form) if rest else iter(())
        self.read_ahead = self._embedder.read_ahead

        def merged() -> Iterator[Piece | TextRejected]:
            if places:
                yield Piece(np.array(places), vectors, np.zeros(len(places), np.uint8))
            for piece in reindex(new, rest):
                if isinstance(piece, Piece):
                    self._texts.stored.check_dimensions(piece.vectors.shape[1])
                yield piece

        return merged() if keep is None else passed_to(keep, merged())

    def missing(self, texts: Sequence[str], kind: Kind, form: VectorForm) -> list[int]:
        """Return the places of the texts that neither the dataset nor the cache has."""
        found = {*self._texts.find(texts)[0]}
        rest = [place for place in range(len(texts)) if place not in found]
        return [rest[row] for row in self._embedder.missing([texts[place] for place in rest], kind, form)]

    def plan(self) -> Plan | None:
        """Return a plan that counts requests; see `Embedder.plan`."""
        return self._embedder.plan()

    def trust(self) -> None:
        """Pass it on; see `Embedder.trust`."""
        self._embedder.trust()

    def status(self) -> str:
        """Return what the embedder waits for; see `Embedder.status`."""
        return self._embedder.status()

    def close(self) -> None:
        """Close the embedder."""
        self._embedder.close()

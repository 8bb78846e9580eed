"""An embedder as the thread of `SharedBatches` runs it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING

from simil.embedders.base import Kind
from simil.frozen import Frozen
from simil.server.shared_batches import Computed

if TYPE_CHECKING:
    from simil.embedders.base import Embedder
    from simil.embedders.pieces import TextRejected

__all__ = ["ServedEmbedder", "WantedVectors"]


class WantedVectors(Frozen):
    """Which vectors a request wants: of texts of one kind, with so many dimensions, None for all."""

    kind: Kind = Kind.SYMMETRIC
    dimensions: int | None = None


class ServedEmbedder:
    """Embeds batches; vectors have length 1 unless `normalize` is False."""

    def __init__(self, embedder: Embedder, *, normalize: bool) -> None:
        self._embedder = embedder
        self._normalize = normalize

    def size(self, item: str) -> int:
        """Return the number of characters of a text."""
        return len(item)

    def compute(self, form: Hashable, items: Sequence[str]) -> Computed:
        """Return the vectors and the numbers of tokens of texts; see `BatchModel.compute`."""
        assert isinstance(form, WantedVectors)
        rejected: dict[int, TextRejected] = {}

        def reject(exc: TextRejected) -> None:
            rejected[exc.index] = exc

        vectors = self._embedder.begin(
            items,
            form.kind,
            dimensions=form.dimensions,
            normalize=self._normalize,
            on_rejected=reject,
        )()
        return Computed(vectors, self._embedder.token_counts(items, form.kind), rejected)

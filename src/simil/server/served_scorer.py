"""A cross-encoder as the thread of `SharedBatches` runs it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING

from simil.server.shared_batches import Computed

if TYPE_CHECKING:
    from simil.embedders.pieces import TextRejected
    from simil.scorers.base import Pair, Scorer

__all__ = ["ServedScorer"]


class ServedScorer:
    """Scores batches of pairs."""

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer

    def size(self, item: Pair) -> int:
        """Return the number of characters of a pair."""
        return len(item[0]) + len(item[1])

    def compute(self, form: Hashable, items: Sequence[Pair]) -> Computed:
        """Return the score of each pair; see `BatchModel.compute`."""
        rejected: dict[int, TextRejected] = {}

        def reject(exc: TextRejected) -> None:
            rejected[exc.index] = exc

        scores = self._scorer.score(items, on_rejected=reject)
        return Computed(scores[:, None], [0] * len(items), rejected)

"""What a cross-encoder is to the rest of simil: two texts in, a score out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from simil.embedders.distinct import Distinct
from simil.embedders.pieces import Mark, Piece, TextRejected, collect_pieces

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Pair", "Scorer"]

Pair = tuple[str, str]


class Scorer(ABC):
    """A model that reads two texts at once and says how well they fit.

    Its scores are its own: they are not cosine similarities, and those of two models cannot be compared.

    Attributes:
        stamp: the model, as `name@revision`.
        truncated: how many pairs so far were longer than the model reads, and were cut.
    """

    stamp: str
    truncated: int = 0

    @abstractmethod
    def start(self, pairs: Sequence[Pair]) -> Iterator[Piece | TextRejected]:
        """Start to score `pairs` and return an iterator over pieces as they get ready, in any order.

        A score is a vector of one dimension, and it does not depend on the other pairs. The iterator yields a
        `TextRejected` for a pair that cannot be scored.
        """

    def score(
        self,
        pairs: Sequence[Pair],
        *,
        on_rejected: Callable[[TextRejected], None] | None = None,
        on_scored: Callable[[int], None] = lambda count: None,
    ) -> NDArray[np.float32]:
        """Return the score of each pair, float32 [len(pairs)], in order; higher fits better.

        The order within a pair matters: a query comes first, then the document. Equal pairs are scored once.
        A pair that cannot be scored goes to `on_rejected` with its place, and its score is nan; without
        `on_rejected` its `TextRejected` is raised. `on_scored` is called with how many distinct pairs were
        scored since the last call. Raises `ModelError` if the model fails.
        """
        import numpy as np

        if not pairs:
            return np.empty(0, np.float32)
        distinct = Distinct.of(pairs)
        vectors, marks = collect_pieces(
            _counted(self.start(distinct.items), on_scored),
            len(distinct.items),
            distinct.rejecting(on_rejected),
            stamp=self.stamp,
            dimensions=1,
        )
        self.truncated += int(np.count_nonzero(marks[distinct.rows] & Mark.CUT))
        scores: NDArray[np.float32] = vectors[distinct.rows, 0]
        return scores

    def close(self) -> None:  # noqa: B027 (most scorers hold nothing)
        """Release threads and memory; the scorer cannot be used afterwards."""


def _counted(
    pieces: Iterator[Piece | TextRejected], on_scored: Callable[[int], None]
) -> Iterator[Piece | TextRejected]:
    for piece in pieces:
        yield piece
        on_scored(len(piece.rows) if isinstance(piece, Piece) else 1)

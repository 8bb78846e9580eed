"""The base of the engines that score on this machine: pairs that are too long are cut or rejected."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from simil.embedders.overflow import Overflow
from simil.embedders.pieces import Mark, Piece, TextRejected, finite_part, marked, reindex
from simil.scorers.base import Pair, Scorer
from simil.scorers.pair_tokens import PairTokenizer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    # Rows of a batch, int [n], and their scores, float32 [n].
    RowScores = tuple[NDArray[np.intp], NDArray[np.float32]]

__all__ = ["LocalScorer"]


class LocalScorer(Scorer):
    """An engine on this machine; subclasses compute scores in `_start`."""

    def __init__(self, stamp: str, overflow: Overflow, tokenizer: PairTokenizer | None) -> None:
        """Without a `tokenizer` the engine cuts long pairs itself, and they are not counted."""
        self.stamp = stamp
        self._overflow = overflow
        self._tokenizer = tokenizer

    @abstractmethod
    def _start(self, pairs: Sequence[Pair], encodings: Sequence[Any] | None) -> Iterator[RowScores]:
        """Start to compute the scores of `pairs`, of which there is at least one.

        The iterator yields rows, int [n], and their scores, float32 [n], in any order.
        """

    def start(self, pairs: Sequence[Pair]) -> Iterator[Piece | TextRejected]:
        """Start to score `pairs`; see `Scorer.start`."""
        import numpy as np

        if self._tokenizer is None:
            return self._pieces(self._start(pairs, None), np.zeros(len(pairs), np.uint8))
        encodings = self._tokenizer.encode(pairs)
        cut = np.array([bool(encoding.overflowing) for encoding in encodings], np.bool_)
        marks = marked(cut, Mark.CUT)
        rejected = list(self._rejections(encodings))
        if not rejected:
            return self._pieces(self._start(pairs, encodings), marks)
        wrong = {exc.index for exc in rejected}
        rows = [row for row in range(len(pairs)) if row not in wrong]
        if not rows:
            return iter(rejected)
        started = self._start([pairs[row] for row in rows], [encodings[row] for row in rows])
        return chain(rejected, reindex(self._pieces(started, marks[rows]), rows))

    def _rejections(self, encodings: Sequence[Any]) -> Iterator[TextRejected]:
        assert self._tokenizer is not None
        for row, encoding in enumerate(encodings):
            if len(encoding) == 0:
                yield TextRejected(row, f"the two texts contain nothing that {self.stamp} reads")
            elif self._overflow is Overflow.ERROR and encoding.overflowing:
                yield TextRejected(
                    row,
                    f"the two texts are longer than the {self._tokenizer.limit} tokens that "
                    f"{self.stamp} reads",
                    hint="use --overflow truncate",
                )

    def _pieces(
        self, started: Iterator[RowScores], marks: NDArray[np.uint8]
    ) -> Iterator[Piece | TextRejected]:
        for rows, scores in started:
            piece, rejected = finite_part(Piece(rows, scores[:, None], marks[rows]), self.stamp)
            yield from rejected
            yield piece

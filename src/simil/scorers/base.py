"""What a cross-encoder is to the rest of simil: two texts in, a score out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from simil.embedders.pieces import TextRejected

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Scorer"]


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
    def score(
        self,
        pairs: Sequence[tuple[str, str]],
        *,
        on_rejected: Callable[[TextRejected], None] | None = None,
    ) -> NDArray[np.float32]:
        """Return the score of each pair, float32 [len(pairs)], in order; higher fits better.

        The order within a pair matters: a query comes first, then the document. A pair that cannot be scored
        goes to `on_rejected` with its place, and its score is nan; without `on_rejected` its `TextRejected`
        is raised. Raises `ModelError` if the model fails.
        """

    def close(self) -> None:  # noqa: B027 (most scorers hold nothing)
        """Release threads and memory; the scorer cannot be used afterwards."""

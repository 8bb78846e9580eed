"""Candidates: the documents nearest to each query by one or more models, which a cross-encoder orders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Candidates"]


class Candidates:
    """The candidates of each model, and the pairs of query and document that are to be scored for them.

    Attributes:
        pairs: the rows of query and document, each pair once, however many models propose it.
    """

    def __init__(self, by_model: Sequence[NDArray[np.int64]], documents: int) -> None:
        """Take the rows [queries, candidates] of each model, nearest first, of so many `documents`."""
        import numpy as np

        self._rows = np.stack(by_model)
        numbers = np.arange(self._rows.shape[1])[:, None] * documents + self._rows
        distinct, places = np.unique(numbers, return_inverse=True)
        self._places = places.reshape(numbers.shape)
        self.pairs: Sequence[tuple[int, int]] = [divmod(number, documents) for number in distinct.tolist()]

    def reranked(self, scores: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return the rows [models, queries, candidates] by descending score; `scores` are those of `pairs`.

        Equal scores keep the order of the search, as in `rerank_results`.
        """
        import numpy as np

        order = np.argsort(-scores[self._places], axis=-1, kind="stable")
        return np.take_along_axis(self._rows, order, axis=-1)

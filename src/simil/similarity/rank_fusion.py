"""Rank fusion: one ranking out of several, by the ranks alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["RRF_K", "fuse", "ranks_in"]

RRF_K = 60


def fuse(
    rankings: Sequence[NDArray[np.int64]], *, k: int = RRF_K
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the rows of all rankings in the order of their joint score, and these scores.

    The score of a row is the sum of 1 / (k + rank) over the rankings that hold it, ranks from 1: reciprocal
    rank fusion (Cormack, Clarke and Buettcher, SIGIR 2009). Of rows that score the same, those come first
    that stand higher in the first ranking, then those that stand higher in the next.
    """
    import numpy as np

    rows = np.unique(np.concatenate(rankings)) if rankings else np.empty(0, np.int64)
    scores = np.zeros(len(rows))
    ranks = [ranks_in(ranking, rows) for ranking in rankings]
    for own in ranks:
        scores += np.where(own > 0, 1 / (k + own), 0)
    absent = np.iinfo(np.int64).max
    order = np.lexsort((*(np.where(own > 0, own, absent) for own in reversed(ranks)), -scores))
    return rows[order], scores[order]


def ranks_in(ranking: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the rank of each of `rows` in a ranking, from 1, and 0 for those that are not in it."""
    import numpy as np

    if not len(ranking):
        return np.zeros(len(rows), np.int64)
    order = np.argsort(ranking)
    places = np.minimum(np.searchsorted(ranking, rows, sorter=order), len(ranking) - 1)
    found = order[places]
    return np.where(ranking[found] == rows, found + 1, 0)

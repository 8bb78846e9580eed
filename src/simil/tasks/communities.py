"""Communities: groups of vectors around one that all others of the group are near to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simil import similarity

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["communities"]

_FIRST, _MOST = 16, 1024  # centres looked at together: few at first, since large groups take many away
_SAME = 1 - 1e-6  # two equal rows score that at least, however their values were rounded
_PAIRS = 1 << 22  # at once, however many a centre has: some 100 MB


def communities(
    vectors: NDArray[np.float32], threshold: float, min_size: int, *, pairs_at_once: int = _PAIRS
) -> list[NDArray[np.int64]]:
    """Return groups of at least `min_size` rows of unit `vectors` [n, d], the largest first.

    Every row of a group has a cosine similarity of at least `threshold` to its first, which is the
    centre; the others follow by falling similarity. No row is in two groups. It is what
    `community_detection` of sentence-transformers gives: each row with all that are near enough is a
    group; the larger go before the smaller, the earlier before the later; what one has taken, later ones
    lose, and a row that was taken is no centre.

    A row is always near enough to itself, and to its copies at a threshold of 1. Memory is bounded by
    `pairs_at_once`, or by the pairs of one row where these are more.
    """
    import numpy as np

    if len(vectors) < min_size:
        return []
    if threshold <= 1:
        threshold = min(threshold, _SAME)
    sizes = _sizes(vectors, threshold)
    waiting = np.argsort(-sizes, kind="stable")
    waiting = waiting[sizes[waiting] >= min_size]
    taken = np.zeros(len(vectors), np.bool_)
    groups: list[NDArray[np.int64]] = []
    most = _FIRST
    while len(waiting):
        fit = int(np.searchsorted(np.cumsum(sizes[waiting[:most]]), pairs_at_once, side="right"))
        centres, waiting = np.split(waiting, [max(fit, 1)])
        for centre, others in zip(centres, _near(vectors, centres, threshold), strict=True):
            if taken[centre]:
                continue
            free = others[~taken[others]]
            if len(free) + 1 >= min_size:
                groups.append(np.concatenate([[centre], free]))
                taken[groups[-1]] = True
        waiting = waiting[~taken[waiting]]
        most = min(2 * most, _MOST)
    return sorted(groups, key=len, reverse=True)


def _sizes(vectors: NDArray[np.float32], threshold: float) -> NDArray[np.int64]:
    """Return how many rows are near enough to each, itself among them."""
    import numpy as np

    sizes = np.ones(len(vectors), np.int64)
    for i, j, _ in similarity.pairs_above(vectors, threshold):
        sizes += np.bincount(i, minlength=len(vectors))
        sizes += np.bincount(j, minlength=len(vectors))
    return sizes


def _near(
    vectors: NDArray[np.float32], centres: NDArray[np.int64], threshold: float
) -> list[NDArray[np.int64]]:
    """Return for each of `centres` the other rows that are near enough, the nearest first."""
    import numpy as np

    none = (np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32))
    found = [*similarity.matches_above(vectors[centres], vectors, threshold)] or [none]
    which, rows, scores = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.lexsort((rows, -scores, which))
    order = order[rows[order] != centres[which[order]]]
    return np.split(rows[order], np.searchsorted(which[order], np.arange(1, len(centres))))

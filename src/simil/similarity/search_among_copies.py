"""Nearest neighbours among many copies, as in a log: equal rows are compared once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simil.similarity.copy_groups import CopyGroups
from simil.similarity.exact_search import top_k

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]
    Places = NDArray[np.int64]

__all__ = ["top_k_among_copies"]

_LEAST_PAIRS = 1 << 20  # fewer are compared before copies are found
_MOST_K = 64  # beyond, the rows of the k nearest groups take longer to sort than to compare
_CANDIDATES = 1 << 20  # sorted at once
_NO_ROW = (1 << 63) - 1


def top_k_among_copies(queries: Floats, corpus: Floats, k: int) -> tuple[NDArray[np.float32], Places]:
    """Return what `top_k` does for rows of length 1, sooner where many of them are equal.

    Of copies that tie for the last places, those with the lowest indices are taken.
    """
    if len(queries) * len(corpus) < _LEAST_PAIRS or not 0 < k <= _MOST_K:
        return top_k(queries, corpus, k)
    among = CopyGroups.of(corpus)
    asked = among if queries is corpus else CopyGroups.of(queries)
    if among is asked is None:
        return top_k(queries, corpus, k)
    given = queries if asked is None else queries[asked.firsts]
    if among is None:
        scores, rows = top_k(given, corpus, k)
    else:
        scores, rows = _rows_of(among, *top_k(given, corpus[among.firsts], k), min(k, len(corpus)))
    return (scores, rows) if asked is None else (scores[asked.groups], rows[asked.groups])


def _rows_of(
    copies: CopyGroups, scores: NDArray[np.float32], nearest: Places, k: int
) -> tuple[NDArray[np.float32], Places]:
    """Return the `k` nearest rows of each query, given its nearest groups, and their scores."""
    import numpy as np

    parts = [*_blocks(_members(copies, k), scores, nearest, k)]
    every_score, every_row = zip(*parts, strict=True)
    return np.concatenate(every_score), np.concatenate(every_row)


def _blocks(
    members: Places, scores: NDArray[np.float32], nearest: Places, k: int
) -> Iterator[tuple[NDArray[np.float32], Places]]:
    import numpy as np

    step = max(1, _CANDIDATES // (k * nearest.shape[1]))
    for start in range(0, len(nearest), step):
        rows = members[nearest[start : start + step]]
        found = np.where(rows == _NO_ROW, -np.inf, scores[start : start + step, :, None])
        rows, found = rows.reshape(len(rows), -1), found.reshape(len(rows), -1)
        order: NDArray[np.int64] = np.lexsort((rows, -found))[:, :k]
        yield np.take_along_axis(found, order, 1), np.take_along_axis(rows, order, 1)


def _members(copies: CopyGroups, k: int) -> Places:
    """Return the first `k` rows of each group, int64 [groups, k]; `_NO_ROW` where there are no more."""
    import numpy as np

    rows, sizes = copies.by_group(), copies.sizes
    place = np.arange(len(rows)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    members = np.full((len(sizes), k), _NO_ROW)
    kept = place < k
    members[copies.groups[rows[kept]], place[kept]] = rows[kept]
    return members

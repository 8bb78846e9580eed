"""Communities: groups of vectors that are all near to the centre of their group."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TypeAlias

from simil import similarity
from simil.similarity.copy_groups import CopyGroups

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    # Rows, the centre first, and their scores with it, which are infinite for the centre itself.
    _Group: TypeAlias = tuple[NDArray[np.int64], NDArray[np.float64]]

__all__ = ["SAME", "communities", "communities_of_pairs"]

_FIRST, _MOST = 16, 1024  # centres per batch: few at first, since large groups remove many
SAME = 1 - 1e-6  # two equal rows score at least this, however their values were rounded
_PAIRS = 1 << 22  # pairs at once, unless a single centre has more: about 100 MB


def communities(
    vectors: NDArray[np.float32], threshold: float, min_size: int, *, pairs_at_once: int = _PAIRS
) -> list[NDArray[np.int64]]:
    """Return groups of at least `min_size` rows of unit `vectors` [n, d], the largest first.

    The first row of a group is its centre; the others have a cosine similarity of at least `threshold` to
    it and follow in descending order. No row is in two groups. The result is that of `community_detection`
    of sentence-transformers: each row and all rows near it are a candidate; larger candidates come first,
    ties by row; a row belongs to the first candidate that has it, and then is no centre.

    A row is always near itself, and near its copies at a threshold of 1. Memory is bounded by
    `pairs_at_once`, or by the pairs of one row if these are more.
    """
    import numpy as np

    if len(vectors) < min_size:
        return []
    copies = None
    if threshold <= 1:
        threshold = min(threshold, SAME)
        copies = CopyGroups.of(vectors)
    if copies is None:
        groups = _communities(vectors, threshold, min_size, np.ones(len(vectors), np.int64), pairs_at_once)
        return sorted((rows for rows, _ in groups), key=len, reverse=True)
    # Where a row is near, its copies are: they are compared once, and count as often as they are there.
    groups = _communities(vectors[copies.firsts], threshold, min_size, copies.sizes, pairs_at_once)
    rows = np.split(copies.by_group(), np.cumsum(copies.sizes)[:-1])
    return sorted((_with_copies(*group, rows) for group in groups), key=len, reverse=True)


def _communities(
    vectors: NDArray[np.float32],
    threshold: float,
    min_size: int,
    weights: NDArray[np.int64],
    pairs_at_once: int,
) -> list[_Group]:
    """Return groups of rows that each stand for as many as their weight, in the order of their centres."""
    import numpy as np

    sizes = _sizes(vectors, threshold, weights)
    waiting = np.argsort(-sizes, kind="stable")
    waiting = waiting[sizes[waiting] >= min_size]
    taken = np.zeros(len(vectors), np.bool_)
    groups: list[_Group] = []
    most = _FIRST
    while len(waiting):
        fit = int(np.searchsorted(np.cumsum(sizes[waiting[:most]]), pairs_at_once, side="right"))
        centres, waiting = np.split(waiting, [max(fit, 1)])
        for centre, (others, scores) in zip(centres, _near(vectors, centres, threshold), strict=True):
            if taken[centre]:
                continue
            is_free = ~taken[others]
            rows = np.concatenate([[centre], others[is_free]])
            if weights[rows].sum() >= min_size:
                groups.append((rows, np.concatenate([[np.inf], scores[is_free]])))
                taken[rows] = True
        waiting = waiting[~taken[waiting]]
        most = min(2 * most, _MOST)
    return groups


def _with_copies(
    firsts: NDArray[np.int64], scores: NDArray[np.float64], copies: Sequence[NDArray[np.int64]]
) -> NDArray[np.int64]:
    """Return the rows of a group of rows that stand for their copies, in the order of their scores."""
    import numpy as np

    rows = np.concatenate([copies[first] for first in firsts.tolist()])
    every = np.repeat(scores, [len(copies[first]) for first in firsts.tolist()])
    return rows[np.lexsort((rows, -every))]


def communities_of_pairs(
    count: int,
    i: NDArray[np.int64],
    j: NDArray[np.int64],
    scores: NDArray[np.float32],
    min_size: int,
) -> list[NDArray[np.int64]]:
    """Return what `communities` does for `count` rows of which the near pairs i < j are known."""
    import numpy as np

    rows, others = np.concatenate([i, j]), np.concatenate([j, i])
    order = np.lexsort((others, -np.concatenate([scores, scores]), rows))
    rows, others = rows[order], others[order]
    starts = np.searchsorted(rows, np.arange(count + 1))
    sizes = np.diff(starts) + 1
    waiting = np.argsort(-sizes, kind="stable")
    taken = np.zeros(count, np.bool_)
    groups: list[NDArray[np.int64]] = []
    for centre in waiting[sizes[waiting] >= min_size].tolist():
        if taken[centre]:
            continue
        near = others[starts[centre] : starts[centre + 1]]
        free = near[~taken[near]]
        if len(free) + 1 >= min_size:
            groups.append(np.concatenate([[centre], free]))
            taken[groups[-1]] = True
    return sorted(groups, key=len, reverse=True)


def _sizes(vectors: NDArray[np.float32], threshold: float, weights: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the weight of the rows that are near each row, including itself."""
    import numpy as np

    sizes = weights.astype(np.float64)
    for i, j, _ in similarity.pairs_above(vectors, threshold):
        sizes += np.bincount(i, weights[j], minlength=len(vectors))
        sizes += np.bincount(j, weights[i], minlength=len(vectors))
    return sizes.astype(np.int64)


def _near(
    vectors: NDArray[np.float32], centres: NDArray[np.int64], threshold: float
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """Yield the other rows near each of `centres`, nearest first, and their scores."""
    import numpy as np

    none = (np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32))
    found = [*similarity.matches_above(vectors[centres], vectors, threshold)] or [none]
    which, rows, scores = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.lexsort((rows, -scores, which))
    order = order[rows[order] != centres[which[order]]]
    bounds = np.searchsorted(which[order], np.arange(1, len(centres)))
    return zip(np.split(rows[order], bounds), np.split(scores[order], bounds), strict=True)

"""The most similar pairs of a comparison of many items, found a row of the matrix at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simil.frozen import Frozen

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from simil.tasks.comparison import Comparison
    from simil.tasks.pair_scoring import CrossComparison

__all__ = ["TopPairs", "top_pairs"]

# Pairs that wait to be ordered, at most.
_WAITING = 1 << 16


class TopPairs(Frozen, eq=False):
    """The numbers of two items, int64 [pairs] each, and their scores, float32 [pairs], best first."""

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    scores: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.scores)


def top_pairs(comparison: Comparison | CrossComparison, count: int) -> TopPairs:
    """Return the `count` most similar pairs of two items, ties in the order of the items.

    Of a distance, the smallest are the best. A cross-encoder scores two items in both orders, which are two
    pairs; a pair that it refuses is none.
    """
    import numpy as np

    sign = 1 if comparison.is_distance else -1
    if not comparison.has_matrix:
        first, second, scores = map(np.array, zip(*comparison.pairs(), strict=True))
        return _best([TopPairs(first, second, scores)], count, sign)
    found: list[TopPairs] = []
    waiting, limit = 0, np.inf
    for number, row in comparison.rows():
        others = np.arange(number + 1 if comparison.is_symmetric else 0, len(row))
        others = others[(others != number) & (sign * row[others] < limit)]
        found.append(TopPairs(np.full(len(others), number), others, row[others]))
        waiting += len(others)
        if waiting > count + _WAITING:
            found = [_best(found, count, sign)]
            waiting, limit = count, sign * float(found[0].scores[-1])
    return _best(found, count, sign)


def _best(found: list[TopPairs], count: int, sign: int) -> TopPairs:
    import numpy as np

    first, second, scores = (
        np.concatenate(parts)
        for parts in zip(*((pairs.first, pairs.second, pairs.scores) for pairs in found), strict=True)
    )
    order = np.argsort(sign * scores, kind="stable")
    order = order[~np.isnan(scores[order])][:count]
    return TopPairs(first[order], second[order], scores[order])

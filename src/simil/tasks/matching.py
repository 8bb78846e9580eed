"""Matching: which rows of two tables belong together by meaning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from simil import similarity
from simil.blas import use_all_cores
from simil.errors import UsageError
from simil.tasks.corpus import Corpus

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["MOST_BYTES", "Matches", "match", "match_one_to_one"]

# The limit for the matrix of all pairs, in float64 as the assignment needs it: 16,000 by 16,000 rows.
MOST_BYTES = 2 * 1024**3
_BLOCK_ROWS = 1024


@dataclass(frozen=True, eq=False, slots=True)
class Matches:
    """Matching pairs: rows of the left and the right side, int64 [pairs], and their cosines, float32 [pairs].

    Pairs are in the order of the left rows, those of one left row by descending score. `nearest_miss` is the
    best pair (left, right, score) if no pair reaches the threshold.
    """

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    scores: NDArray[np.float32]
    nearest_miss: tuple[int, int, np.float32] | None = None

    def __len__(self) -> int:
        return len(self.left)


def match(left: Corpus, right: Corpus, *, k: int = 1, threshold: float | None = None) -> Matches:
    """Return, for each text of `left`, the `k` nearest texts of `right` that score at least `threshold`."""
    import numpy as np

    if not len(left) or not len(right):
        return _nothing()
    scores, columns = similarity.top_k(left.vectors, right.vectors, k)
    np.clip(scores, -1, 1, out=scores)
    reached = scores >= _limit(threshold)
    rows, places = np.nonzero(reached)
    if len(rows):
        return Matches(rows, columns[rows, places], scores[rows, places])
    best = int(scores[:, 0].argmax())
    return _nothing((best, int(columns[best, 0]), scores[best, 0]))


def match_one_to_one(left: Corpus, right: Corpus, *, threshold: float | None = None) -> Matches:
    """Return the pairs with the largest sum of scores such that each text is in at most one pair.

    This matches all texts of the smaller side; a `threshold` allows only pairs that score at least that.
    Raises `UsageError` if the matrix of all pairs would take more than `MOST_BYTES`.
    """
    import numpy as np
    from scipy.optimize import linear_sum_assignment

    needed = 8 * len(left) * len(right)
    if needed > MOST_BYTES:
        raise UsageError(
            f"matching {len(left)} rows with {len(right)} one to one takes {needed / 1024**3:.1f} GiB, "
            f"more than {MOST_BYTES // 1024**3}",
            hint="match parts of them, or leave out --one-to-one",
        )
    if not len(left) or not len(right):
        return _nothing()
    # scipy copies a matrix that has more rows than columns, and one to be maximized.
    turned = len(left) > len(right)
    high, wide = (right, left) if turned else (left, right)
    costs = _costs(high.vectors, wide.vectors)
    best = np.unravel_index(costs.argmin(), costs.shape)
    best_score = np.float32(-costs[best])
    limit = _limit(threshold)
    allowed = costs <= -limit
    if threshold is not None:
        # A forbidden pair adds nothing to the sum, and never more than an allowed one.
        costs[~allowed] = max(0.0, float(-limit))
    i, j = linear_sum_assignment(costs)
    kept = allowed[i, j]
    if not kept.any():
        a, b = (int(place) for place in (best[::-1] if turned else best))
        return _nothing((a, b, best_score))
    i, j = i[kept], j[kept]
    rows, columns = (j, i) if turned else (i, j)
    order = np.argsort(rows)
    return Matches(rows[order], columns[order], -costs[i, j].astype(np.float32)[order])


def _limit(threshold: float | None) -> np.float32:
    return similarity.lowest_score(float("-inf") if threshold is None else threshold)


def _costs(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the negative cosine of each pair, rounded as by `similarity.top_k`."""
    import numpy as np

    use_all_cores(len(left) * right.size)
    costs = np.empty((len(left), len(right)))
    others = right.astype(np.float64).T
    for start in range(0, len(left), _BLOCK_ROWS):
        block = left[start : start + _BLOCK_ROWS].astype(np.float64) @ others
        costs[start : start + _BLOCK_ROWS] = block.astype(np.float32)
    np.clip(costs, -1, 1, out=costs)
    return np.negative(costs, out=costs)


def _nothing(nearest_miss: tuple[int, int, np.float32] | None = None) -> Matches:
    import numpy as np

    none = np.empty(0, np.int64)
    return Matches(none, none, np.empty(0, np.float32), nearest_miss)

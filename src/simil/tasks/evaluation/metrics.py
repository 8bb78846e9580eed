"""Metrics of scores: correlations, average precision, F1, recall and nDCG.

Except for `recall` and `ndcg`, which are of one query, a function returns a statistic for the bootstrap: it
maps weights [resamples, n], how often each pair (or query) counts, to values [resamples]. So one pass over
the sorted scores gives the metric of every resample; a row of ones gives the metric itself. Undefined values
are nan.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from simil.similarity import as_printed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from simil.tasks.evaluation.bootstrap import Floats, Statistic

    Counts = NDArray[np.integer[Any]]

__all__ = [
    "OperatingPoint",
    "average_precision",
    "best_f1",
    "best_operating_point",
    "mean",
    "ndcg",
    "pearson",
    "recall",
    "spearman",
]


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """A threshold, with the precision and recall of calling all pairs positive that score at least that."""

    threshold: float
    precision: float
    recall: float


def pearson(one: Floats, other: Floats) -> Statistic:
    """Return Pearson's correlation of two float64 [n]; undefined if one of them is constant."""
    import numpy as np

    # Centred on the overall means, so that sums of squares lose no digits.
    x, y = (values - values.mean() if len(values) else values for values in map(_near_one, (one, other)))
    columns = np.stack([x, y, x * x, y * y, x * y], axis=1)

    def statistic(weights: Floats) -> Floats:
        total = weights.sum(axis=1)
        sums = (weights @ columns).T
        return _correlation(total, *sums, constant=_constant(weights, one) | _constant(weights, other))

    return statistic


def _near_one(values: Floats) -> Floats:
    """Return values divided by a power of two, so that their squares neither overflow nor underflow."""
    import numpy as np

    exponent = np.frexp(np.abs(values).max(initial=0))[1]
    return np.asarray(np.ldexp(values, -exponent))


def spearman(one: Floats, other: Floats) -> Statistic:
    """Return Spearman's rank correlation of two float64 [n]; ties share their mean rank.

    Undefined if one of them is constant.
    """
    import numpy as np

    rank_one, rank_other = _WeightedRanks(one), _WeightedRanks(other)

    def statistic(weights: Floats) -> Floats:
        total = weights.sum(axis=1)
        # The mean of the ranks is known exactly, so subtracting it loses no digits.
        middle = (total[:, None] + 1) / 2
        x, y = rank_one(weights) - middle, rank_other(weights) - middle
        zero = np.zeros(len(weights))
        squares = [np.einsum("ij,ij,ij->i", weights, a, b) for a, b in ((x, x), (y, y), (x, y))]
        return _correlation(
            total, zero, zero, *squares, constant=_constant(weights, one) | _constant(weights, other)
        )

    return statistic


def _correlation(
    total: Floats,
    sum_x: Floats,
    sum_y: Floats,
    sum_xx: Floats,
    sum_yy: Floats,
    sum_xy: Floats,
    *,
    constant: NDArray[np.bool_],
) -> Floats:
    import numpy as np

    with np.errstate(invalid="ignore", divide="ignore"):
        spread_x = np.maximum(sum_xx - sum_x**2 / total, 0)
        spread_y = np.maximum(sum_yy - sum_y**2 / total, 0)
        found = (sum_xy - sum_x * sum_y / total) / (np.sqrt(spread_x) * np.sqrt(spread_y))
    return np.where(constant, np.nan, np.clip(found, -1, 1))


def _constant(weights: Floats, values: Floats) -> NDArray[np.bool_]:
    """Return which resamples drew a single value; rounding would give them a correlation."""
    import numpy as np

    drawn = weights > 0
    least = np.where(drawn, values, np.inf).min(axis=1)
    return np.asarray(least >= np.where(drawn, values, -np.inf).max(axis=1))


class _WeightedRanks:
    """The ranks of values in each resample; ties share their mean rank."""

    def __init__(self, values: Floats) -> None:
        import numpy as np

        self._order = np.argsort(values, kind="stable")
        ordered = values[self._order]
        self._starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
        self._group = np.empty(len(values), np.intp)
        self._group[self._order] = np.repeat(
            np.arange(len(self._starts)), np.diff(np.r_[self._starts, len(values)])
        )

    def __call__(self, weights: Floats) -> Floats:
        import numpy as np

        many = np.add.reduceat(weights[:, self._order], self._starts, axis=1)
        ranks: Floats = np.cumsum(many, axis=1) - (many - 1) / 2
        return ranks[:, self._group]


class _PrecisionRecall:
    """Counts for precision and recall at each distinct score, from the highest down.

    Scores for a threshold are `as_printed`: who passes the threshold on gets the pairs that were counted.
    """

    def __init__(self, scores: Floats, positive: NDArray[np.bool_]) -> None:
        import numpy as np

        self._order = np.argsort(-scores, kind="stable")
        self._alike = positive[self._order].astype(np.float64)
        ordered = scores[self._order]
        self._ends = np.flatnonzero(np.r_[ordered[1:] != ordered[:-1], True])
        self.thresholds: Floats = ordered[self._ends]

    def __call__(self, weights: Floats) -> tuple[Floats, Floats]:
        """Return the predicted and the true positives, each [resamples, distinct scores]."""
        import numpy as np

        ordered = weights[:, self._order]
        taken = np.cumsum(ordered, axis=1)[:, self._ends]
        right = np.cumsum(ordered * self._alike, axis=1)[:, self._ends]
        return taken, right


def average_precision(scores: Floats, positive: NDArray[np.bool_]) -> Statistic:
    """Return the average precision of scores [n]: the mean precision at the score of each positive pair.

    Ties count together, as in scikit-learn; undefined without a positive pair.
    """
    import numpy as np

    counts = _PrecisionRecall(scores, positive)

    def statistic(weights: Floats) -> Floats:
        taken, right = counts(weights)
        steps = np.diff(right, axis=1, prepend=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            precision = np.where(taken > 0, right / taken, 0)
            return np.asarray((steps * precision).sum(axis=1) / right[:, -1])

    return statistic


def best_f1(scores: Floats, positive: NDArray[np.bool_]) -> Statistic:
    """Return the highest F1 of any threshold; undefined without a positive pair."""
    import numpy as np

    counts = _PrecisionRecall(as_printed(scores), positive)

    def statistic(weights: Floats) -> Floats:
        taken, right = counts(weights)
        many = right[:, -1:]
        with np.errstate(invalid="ignore", divide="ignore"):
            best = (2 * right / (taken + many)).max(axis=1)
        return np.where(many[:, 0] > 0, best, np.nan)

    return statistic


def best_operating_point(scores: Floats, positive: NDArray[np.bool_]) -> OperatingPoint | None:
    """Return the highest threshold with the best F1; None without a positive pair."""
    import numpy as np

    if not positive.any():
        return None
    counts = _PrecisionRecall(as_printed(scores), positive)
    taken, right = (row[0] for row in counts(np.ones((1, len(scores)))))
    best = int(np.argmax(2 * right / (taken + right[-1])))
    return OperatingPoint(
        float(counts.thresholds[best]), float(right[best] / taken[best]), float(right[best] / right[-1])
    )


def mean(values: Floats) -> Statistic:
    """Return the mean of the values of queries [n]."""
    import numpy as np

    def statistic(weights: Floats) -> Floats:
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray((weights @ values) / weights.sum(axis=1))

    return statistic


def recall(above: Counts, equal: Counts, k: int) -> float:
    """Return the share of a query's relevant documents that are among the first `k`.

    For each relevant document, `above` counts the documents that score more, and `equal` those that score the
    same, including itself. Ties count by the expectation over all their orders.
    """
    import numpy as np

    return float(np.clip((k - above) / equal, 0, 1).mean())


def ndcg(above: Counts, equal: Counts, grades: Floats, k: int) -> float:
    """Return the normalized discounted cumulative gain of the first `k` (Järvelin and Kekäläinen, 2002).

    A relevant document adds its grade divided by log2(rank + 1); the sum is divided by that of the ideal
    order. Ties count by their mean over all orders (McSherry and Najork, 2008). `above` and `equal` are as in
    `recall`.
    """
    import numpy as np

    discounts = np.r_[0, np.cumsum(1 / np.log2(np.arange(2, k + 2)))]
    first, last = np.minimum(above, k), np.minimum(above + equal, k)
    gained = (grades * (discounts[last] - discounts[first]) / equal).sum()
    best = np.sort(grades)[::-1][:k]
    return float(gained / (best * np.diff(discounts)[: len(best)]).sum())

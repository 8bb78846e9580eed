"""How well scores agree with what people say: correlations, precision and recall, ranks of what is relevant.

Every measure takes weights [resamples, n]: how often each pair (or query) counts, so that one pass over the
sorted scores gives the measure of all resamples of a bootstrap; a row of ones gives the measure itself. What
cannot be computed is nan here, and None in a `Score`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Counts = NDArray[np.integer[Any]]
    Measure = Callable[[Floats], Floats]

__all__ = [
    "CONFIDENCE",
    "SEED",
    "Cutoff",
    "Score",
    "average_precision",
    "best_cutoff",
    "best_f1",
    "mean",
    "ndcg",
    "pearson",
    "recall",
    "scored",
    "spearman",
]

CONFIDENCE = 0.95
SEED = 0

# Weights of a block of resamples, and what is computed of them, stay within some hundred megabytes.
_CELLS = 1 << 20


@dataclass(frozen=True, slots=True)
class Score:
    """A measure and its interval; `value` is None where it is not defined, the ends where there is none."""

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Cutoff:
    """The threshold that tells pairs apart best: all that score at least so much count as alike."""

    threshold: float
    precision: float
    recall: float


def scored(measure: Measure, count: int, resamples: int) -> Score:
    """Return a measure of `count` (at least one) pairs or queries, with the interval of so many resamples.

    The interval is that of the percentile bootstrap (Efron and Tibshirani, 1993, chapter 13) at 95 %: between
    the percentiles 2.5 and 97.5 of the measure over samples drawn with replacement, always the same ones for
    the same count. Samples for which the measure is not defined are left out.
    """
    import numpy as np

    value = float(measure(np.ones((1, count)))[0])
    if not np.isfinite(value):
        return Score(None)
    if not resamples:
        return Score(value)
    drawn = np.concatenate([measure(weights) for weights in _resampled(count, resamples)])
    drawn = drawn[np.isfinite(drawn)]
    if not len(drawn):
        return Score(value)
    low, high = np.percentile(drawn, [50 * (1 - CONFIDENCE), 50 * (1 + CONFIDENCE)])
    return Score(value, float(low), float(high))


def _resampled(count: int, resamples: int) -> Any:
    """Yield how often each of `count` is drawn, float64 [<= some, count], until there are `resamples`."""
    import numpy as np

    generator = np.random.default_rng(SEED)
    step = max(_CELLS // count, 1)
    for start in range(0, resamples, step):
        rows = min(step, resamples - start)
        drawn = generator.integers(0, count, (rows, count))
        drawn += np.arange(rows)[:, None] * count
        yield np.bincount(drawn.ravel(), minlength=rows * count).reshape(rows, count).astype(np.float64)


def pearson(one: Floats, other: Floats) -> Measure:
    """Return Pearson's correlation of two float64 [n]; not defined where one of them is constant."""
    import numpy as np

    # Around the means of all: the sums of squares keep their digits.
    x, y = (values - values.mean() if len(values) else values for values in map(_near_one, (one, other)))
    columns = np.stack([x, y, x * x, y * y, x * y], axis=1)

    def measure(weights: Floats) -> Floats:
        total = weights.sum(axis=1)
        sums = (weights @ columns).T
        return _correlation(total, *sums, constant=_constant(weights, one) | _constant(weights, other))

    return measure


def _near_one(values: Floats) -> Floats:
    """Return values divided by a power of two, so that no square of them is too large or too small."""
    import numpy as np

    exponent = np.frexp(np.abs(values).max(initial=0))[1]
    return np.asarray(np.ldexp(values, -exponent))


def spearman(one: Floats, other: Floats) -> Measure:
    """Return Spearman's rank correlation of two float64 [n], equal values sharing their mean rank.

    Not defined where one of them is constant.
    """
    import numpy as np

    rank_one, rank_other = _Ranks(one), _Ranks(other)

    def measure(weights: Floats) -> Floats:
        total = weights.sum(axis=1)
        # The mean of ranks is known: no digits are lost to it.
        middle = (total[:, None] + 1) / 2
        x, y = rank_one(weights) - middle, rank_other(weights) - middle
        zero = np.zeros(len(weights))
        squares = [np.einsum("ij,ij,ij->i", weights, a, b) for a, b in ((x, x), (y, y), (x, y))]
        return _correlation(
            total, zero, zero, *squares, constant=_constant(weights, one) | _constant(weights, other)
        )

    return measure


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
    """Tell for which resamples all that was drawn has one value: rounding would make a correlation of it."""
    import numpy as np

    drawn = weights > 0
    least = np.where(drawn, values, np.inf).min(axis=1)
    return np.asarray(least >= np.where(drawn, values, -np.inf).max(axis=1))


class _Ranks:
    """The ranks of values in each resample, equal ones sharing their mean."""

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


class _Found:
    """What is right among the pairs that score at least so much, for each distinct score, falling."""

    def __init__(self, scores: Floats, alike: NDArray[np.bool_]) -> None:
        import numpy as np

        self._order = np.argsort(-scores, kind="stable")
        self._alike = alike[self._order].astype(np.float64)
        ordered = scores[self._order]
        self._ends = np.flatnonzero(np.r_[ordered[1:] != ordered[:-1], True])
        self.thresholds: Floats = ordered[self._ends]

    def __call__(self, weights: Floats) -> tuple[Floats, Floats]:
        """Return how many count as alike, and how many of these are, each [resamples, distinct scores]."""
        import numpy as np

        ordered = weights[:, self._order]
        taken = np.cumsum(ordered, axis=1)[:, self._ends]
        right = np.cumsum(ordered * self._alike, axis=1)[:, self._ends]
        return taken, right


def average_precision(scores: Floats, alike: NDArray[np.bool_]) -> Measure:
    """Return the average precision of scores [n]: over what is alike, the mean of the precision at its score.

    Equal scores count together, as in scikit-learn; not defined where nothing is alike.
    """
    import numpy as np

    found = _Found(scores, alike)

    def measure(weights: Floats) -> Floats:
        taken, right = found(weights)
        steps = np.diff(right, axis=1, prepend=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            precision = np.where(taken > 0, right / taken, 0)
            return np.asarray((steps * precision).sum(axis=1) / right[:, -1])

    return measure


def best_f1(scores: Floats, alike: NDArray[np.bool_]) -> Measure:
    """Return the F1 at the threshold that is best for it; not defined where nothing is alike."""
    import numpy as np

    found = _Found(scores, alike)

    def measure(weights: Floats) -> Floats:
        taken, right = found(weights)
        many = right[:, -1:]
        with np.errstate(invalid="ignore", divide="ignore"):
            best = (2 * right / (taken + many)).max(axis=1)
        return np.where(many[:, 0] > 0, best, np.nan)

    return measure


def best_cutoff(scores: Floats, alike: NDArray[np.bool_]) -> Cutoff | None:
    """Return the threshold of the best F1, of several the highest; None where nothing is alike."""
    import numpy as np

    if not alike.any():
        return None
    found = _Found(scores, alike)
    taken, right = (counts[0] for counts in found(np.ones((1, len(scores)))))
    best = int(np.argmax(2 * right / (taken + right[-1])))
    return Cutoff(
        float(found.thresholds[best]), float(right[best] / taken[best]), float(right[best] / right[-1])
    )


def mean(values: Floats) -> Measure:
    """Return the mean of what each query got [n]."""
    import numpy as np

    def measure(weights: Floats) -> Floats:
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray((weights @ values) / weights.sum(axis=1))

    return measure


def recall(above: Counts, equal: Counts, k: int) -> float:
    """Return the share of what is relevant to a query that is among the first `k`.

    For each relevant document, `above` counts those that score more, and `equal` those that score the same,
    itself among them: these come in any order, and what is expected of it counts.
    """
    import numpy as np

    return float(np.clip((k - above) / equal, 0, 1).mean())


def ndcg(above: Counts, equal: Counts, grades: Floats, k: int) -> float:
    """Return the normalized discounted cumulative gain of the first `k` (Järvelin and Kekäläinen, 2002).

    A relevant document adds its grade divided by log2(rank + 1), and the sum is divided by that of the best
    order. Of documents that score the same the mean counts (McSherry and Najork, 2008). `above` and `equal`
    are as in `recall`.
    """
    import numpy as np

    discounts = np.r_[0, np.cumsum(1 / np.log2(np.arange(2, k + 2)))]
    first, last = np.minimum(above, k), np.minimum(above + equal, k)
    gained = (grades * (discounts[last] - discounts[first]) / equal).sum()
    best = np.sort(grades)[::-1][:k]
    return float(gained / (best * np.diff(discounts)[: len(best)]).sum())

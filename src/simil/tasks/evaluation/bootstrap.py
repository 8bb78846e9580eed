"""Confidence intervals of metrics, by the percentile bootstrap."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Statistic = Callable[[Floats], Floats]

__all__ = ["CONFIDENCE", "SEED", "Estimate", "estimate"]

CONFIDENCE = 0.95
SEED = 0

# The weights of a block of resamples, and what is computed from them, stay within a few hundred megabytes.
_CELLS = 1 << 20


@dataclass(frozen=True, slots=True)
class Estimate:
    """The value of a metric and its confidence interval; None if undefined, or if there is no interval."""

    value: float | None
    low: float | None = None
    high: float | None = None


def estimate(statistic: Statistic, count: int, resamples: int) -> Estimate:
    """Return a statistic of `count` (at least one) pairs or queries, with its 95 % interval.

    `statistic` maps weights [resamples, count] to values [resamples]. The interval is that of the percentile
    bootstrap (Efron and Tibshirani, 1993, chapter 13): between the percentiles 2.5 and 97.5 over samples
    drawn with replacement, always the same samples for the same count. Samples for which the statistic is
    undefined are left out; with 0 `resamples` there is no interval.
    """
    import numpy as np

    value = float(statistic(np.ones((1, count)))[0])
    if not np.isfinite(value):
        return Estimate(None)
    if not resamples:
        return Estimate(value)
    drawn = np.concatenate([statistic(weights) for weights in _resampled(count, resamples)])
    drawn = drawn[np.isfinite(drawn)]
    if not len(drawn):
        return Estimate(value)
    low, high = np.percentile(drawn, [50 * (1 - CONFIDENCE), 50 * (1 + CONFIDENCE)])
    return Estimate(value, float(low), float(high))


def _resampled(count: int, resamples: int) -> Iterator[Floats]:
    """Yield how often each of `count` is drawn, float64 [<= resamples, count], a block at a time."""
    import numpy as np

    generator = np.random.default_rng(SEED)
    step = max(_CELLS // count, 1)
    for start in range(0, resamples, step):
        rows = min(step, resamples - start)
        drawn = generator.integers(0, count, (rows, count))
        drawn += np.arange(rows)[:, None] * count
        yield np.bincount(drawn.ravel(), minlength=rows * count).reshape(rows, count).astype(np.float64)

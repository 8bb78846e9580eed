"""Thresholds that are copied from an output, where scores have fewer digits than they are computed with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["DECIMALS", "as_printed", "lowest_score"]

DECIMALS = 6
"""How many decimals of a score are printed."""


def as_printed(scores: NDArray[np.floating[Any]], decimals: int = DECIMALS) -> NDArray[np.float64]:
    """Return float32 `scores` as they are printed, rounded to `decimals`: float64 of their shape."""
    import numpy as np

    # Exact, as printing is: a float32 times a million has fewer digits than a float64 holds.
    return np.asarray(np.round(scores.astype(np.float64), decimals), np.float64)


def lowest_score(threshold: float, decimals: int = DECIMALS) -> np.float32:
    """Return the lowest score that reaches `threshold`.

    A threshold of at most `decimals` decimals is reached by what is printed as so much: the score that it was
    copied from may have been rounded up. One with more decimals, as JSON has them, is compared as float32.
    """
    import numpy as np

    with np.errstate(over="ignore"):
        limit = np.float32(threshold)
        if not np.isfinite(limit) or round(threshold, decimals) != threshold:
            return limit
        # All that is above half a unit of the last decimal below is printed as the threshold.
        lowest = np.float32(threshold - 0.5 * 10.0**-decimals)
    above = np.nextafter(lowest, np.float32(np.inf))
    candidates = np.array([np.nextafter(lowest, np.float32(-np.inf)), lowest, above, limit], np.float32)
    return np.float32(candidates[as_printed(candidates, decimals) >= threshold].min(initial=limit))

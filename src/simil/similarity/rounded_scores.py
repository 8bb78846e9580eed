"""The score of two vectors without NumPy, whose import takes longer than all else that a cached score needs.

The products of two float32 are exact in float64, and `fsum` adds them without an error. `pairwise` rounds
every step, so that its result differs in the last bits of a float64. How far it can be off is known
(Higham, Accuracy and Stability of Numerical Algorithms, 2002, sections 3.1 and 4.2), and only where all
numbers so near round to the same float32 is the score certain.
"""

from __future__ import annotations

from array import array
from itertools import chain
from math import fsum, isfinite, sqrt
from operator import mul, sub

from simil.similarity.pairwise import Metric

__all__ = ["rounded_score"]

# Twice the unit roundoff of float64: bounds with it hold for our own few roundings, too.
_UNIT = 2.0**-52
# The roundings of a step beside those of its sum: differences, norms, quotients, square roots.
_STEPS = 16


def rounded_score(left: array[float], right: array[float], metric: Metric) -> float | None:
    """Return the score that `pairwise` gives two vectors of float32, `array("f")` of one length.

    None where it is not certain, as for vectors of different lengths, without direction or not finite.
    """
    if len(left) != len(right) or not all(map(isfinite, chain(left, right))):
        return None
    share = (len(left) + _STEPS) * _UNIT
    if metric is Metric.COSINE:
        return _cosine(left, right, share)
    if metric is Metric.DOT:
        products = [*map(mul, left, right)]
        size = fsum(map(abs, products))
        return _rounded(fsum(products), share * size) if size else None  # Zero has two signs.
    differences = [*map(sub, left, right)]
    if metric is Metric.EUCLIDEAN:
        distance = sqrt(fsum(map(mul, differences, differences)))
    else:
        distance = fsum(map(abs, differences))
    return _rounded(distance, share * distance)


def _cosine(left: array[float], right: array[float], share: float) -> float | None:
    sizes = fsum(map(mul, left, left)) * fsum(map(mul, right, right))
    if not sizes:
        return None
    cosine = fsum(map(mul, left, right)) / sqrt(sizes)
    # The vectors are divided by their norms first, so the bound is a share of 1.
    return _rounded(max(-1.0, min(cosine, 1.0)), share)


def _rounded(value: float, error: float) -> float | None:
    """Return the float32 to which all numbers round that are within `error` of `value`; None for several."""
    low, high = array("f", (value - error, value + error))
    return low if low == high and isfinite(low) else None

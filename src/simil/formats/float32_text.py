"""Reads decimal digits as float32 numbers without losing a bit."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["nearest_float32"]

_BELOW_HALF = (1 << 28) - 1  # the bits of a double below the one for half a step of float32


def nearest_float32(doubles: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the float32 nearest to the decimal digits that `doubles` were read from, same shape.

    A plain conversion rounds twice, from digits to double and from double to float32, and is off by one
    step if the double lies exactly halfway between two float32 numbers, as for 7.038531e-26. The shortest
    digits of the double, which are those of the file, then decide. A value beyond float32 becomes infinite.
    """
    import numpy as np

    with np.errstate(over="ignore"):
        singles = np.asarray(doubles, dtype=np.float32)
    bits = np.ascontiguousarray(doubles).view(np.int64)
    perhaps_halfway = ((bits & _BELOW_HALF) == 0) & (singles != doubles) & np.isfinite(singles)
    for place in zip(*np.nonzero(perhaps_halfway), strict=True):
        singles[place] = _nearest(float(doubles[place]), singles[place])
    return singles


def _nearest(double: float, single: np.float32) -> np.float32:
    from fractions import Fraction

    import numpy as np

    other: np.float32 = np.nextafter(single, np.float32(np.copysign(np.inf, double - float(single))))
    digits = Fraction(repr(double))
    if np.isfinite(other) and abs(digits - Fraction(float(other))) < abs(digits - Fraction(float(single))):
        return other
    return single

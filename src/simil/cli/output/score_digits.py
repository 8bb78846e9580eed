"""Scores as text."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from simil.tasks.evaluation.scales import Scale

__all__ = ["decimals_on", "digits", "fewer_digits"]


def decimals_on(scale: Scale | None) -> int:
    """Return how many decimals of a score plain text shows."""
    return 6 if scale is None else scale.decimals


def digits(score: float | np.floating[Any], decimals: int = 6) -> str:
    """Return a score as text; nothing for nan, the score of a text that failed."""
    return "" if isnan(score) else f"{score:.{decimals}f}"


def fewer_digits(score: float | np.floating[Any], decimals: int = 4, *, is_distance: bool = False) -> str:
    """Return a score for a table, which has less room than `digits` takes.

    It is cut towards unlike, not rounded, so that the score reaches a threshold that was copied from here.
    """
    printed, shown = float(digits(score) or "nan"), f"{score:.{decimals}f}"
    if is_distance and float(shown) < printed:
        return f"{float(shown) + 10.0**-decimals:.{decimals}f}"
    if not is_distance and float(shown) > printed:
        return f"{float(shown) - 10.0**-decimals:.{decimals}f}"
    return shown

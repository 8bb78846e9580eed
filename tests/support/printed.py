"""Scores as they are printed, and which of them reach a threshold, by Python's own formatting."""

from __future__ import annotations

import numpy as np

__all__ = ["reaches"]


def reaches(score: float, threshold: float, decimals: int = 6) -> bool:
    """Whether a score, or what is printed of it, is at least a threshold of so few decimals."""
    is_short = float(f"{threshold:.{decimals}f}") == threshold
    printed = float(f"{np.float32(score):.{decimals}f}")
    return bool(np.float32(score) >= np.float32(threshold)) or (is_short and printed >= threshold)

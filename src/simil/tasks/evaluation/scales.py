"""Scales that replace the raw score of a metric."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from simil.similarity import Metric

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Scale", "reaches"]


class Scale(Protocol):
    """A scale from 0 to `top` on which a higher value always means more alike."""

    @property
    def name(self) -> str:
        """The name of a value on this scale."""

    @property
    def top(self) -> float:
        """The highest value."""

    @property
    def decimals(self) -> int:
        """How many decimals plain text shows."""

    @property
    def source(self) -> str:
        """What the scale was made from, in words."""

    @property
    def facts(self) -> Mapping[str, object]:
        """What the scale is and what it was made from, for JSON."""

    def apply(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the values of scores, float32 of their shape."""


def reaches(
    scores: NDArray[np.float32], threshold: float, metric: Metric, scale: Scale | None
) -> NDArray[np.bool_]:
    """Return which scores, already on `scale`, are at least as alike as `threshold`."""
    if scale is None:
        return metric.reaches(scores, threshold)
    return Metric.COSINE.reaches(scores, threshold, scale.decimals)

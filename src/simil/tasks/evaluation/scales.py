"""What a score says: a scale of its own in place of the metric's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from simil.similarity import Metric

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Scale", "reaches"]


class Scale(Protocol):
    """Says what scores mean, on a scale from 0 to `top` on which more is always more alike."""

    @property
    def name(self) -> str:
        """What a value on this scale is called."""

    @property
    def top(self) -> float:
        """The highest value."""

    @property
    def decimals(self) -> int:
        """How many decimals of a value lines of text show."""

    @property
    def source(self) -> str:
        """What it was made of, for a person."""

    @property
    def facts(self) -> Mapping[str, object]:
        """What it is and what it was made of, for machines."""

    def apply(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the values of scores, float32 of their shape."""


def reaches(
    scores: NDArray[np.float32], threshold: float, metric: Metric, scale: Scale | None
) -> NDArray[np.bool_]:
    """Tell which scores, already on `scale`, are at least as alike as `threshold`."""
    return (metric if scale is None else Metric.COSINE).reaches(scores, threshold)

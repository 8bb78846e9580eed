"""Percentiles: how high a score ranks among the scores of random pairs of texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simil import similarity
from simil.errors import InputError
from simil.similarity import Metric

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["MOST_PAIRS", "Percentiles", "percentiles"]

MOST_PAIRS = 10_000
_SEED = 0
# The resolution of that many pairs: steps of 0.005.
_DECIMALS = 3


@dataclass(frozen=True, eq=False, slots=True)
class Percentiles:
    """The scores of random pairs of texts of `reference`, float32 [pairs], ascending.

    `sign` is -1 for a distance, whose scores are stored negated.
    """

    ordered: NDArray[np.float32]
    sign: int
    reference: str

    @property
    def name(self) -> str:
        """The name of a value on this scale."""
        return "percentile"

    @property
    def top(self) -> float:
        """The highest value."""
        return 100.0

    @property
    def decimals(self) -> int:
        """How many decimals plain text shows."""
        return _DECIMALS

    @property
    def source(self) -> str:
        """What the scale was made from, in words."""
        return f"among {len(self.ordered):,} random pairs of {self.reference}"

    @property
    def facts(self) -> Mapping[str, object]:
        """What the scale is and what it was made from, for JSON."""
        return {"percentile": {"pairs": len(self.ordered), "reference": self.reference}}

    def apply(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the percentage of pairs that are less alike, float32, to three decimals.

        Ties count as half; nan, the score of a pair that failed, stays nan.
        """
        import numpy as np

        values = np.asarray(scores) * np.float32(self.sign)
        below = np.searchsorted(self.ordered, values, "left")
        up_to = np.searchsorted(self.ordered, values, "right")
        found = np.round((below + up_to) * (50 / len(self.ordered)), _DECIMALS)
        return np.where(np.isnan(values), np.nan, found).astype(np.float32)


def percentiles(vectors: NDArray[np.float32], metric: Metric, reference: str) -> Percentiles:
    """Return the scores of pairs of different rows of `vectors` [n, dimensions].

    Takes every pair if there are at most `MOST_PAIRS`, else that many drawn at random, always the same
    ones. Raises `InputError` for fewer than two rows.
    """
    import numpy as np

    count = len(vectors)
    if count < 2:
        raise InputError(f"{reference} has no two texts to compare", hint="give a file with a few hundred")
    if count * (count - 1) // 2 <= MOST_PAIRS:
        left, right = np.triu_indices(count, 1)
    else:
        generator = np.random.default_rng(_SEED)
        left = generator.integers(0, count, MOST_PAIRS)
        right = (left + generator.integers(1, count, MOST_PAIRS)) % count
    sign = -1 if metric.is_distance else 1
    scores = similarity.pairwise(vectors[left], vectors[right], metric)
    return Percentiles(np.sort(scores * np.float32(sign)), sign, reference)

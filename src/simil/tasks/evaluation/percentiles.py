"""How high a score stands among those of random pairs of texts."""

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
# What so many pairs can tell apart: steps of 0.005.
_DECIMALS = 3


@dataclass(frozen=True, eq=False, slots=True)
class Percentiles:
    """The scores of random pairs, float32 [pairs], rising from unlike to alike, of texts of `reference`.

    `sign` is -1 for a distance, whose scores are kept with the other sign.
    """

    ordered: NDArray[np.float32]
    sign: int
    reference: str

    @property
    def name(self) -> str:
        """What a value is called."""
        return "percentile"

    @property
    def top(self) -> float:
        """The highest value."""
        return 100.0

    @property
    def decimals(self) -> int:
        """How many decimals of a value lines of text show."""
        return _DECIMALS

    @property
    def source(self) -> str:
        """What it was made of, for a person."""
        return f"among {len(self.ordered):,} random pairs of {self.reference}"

    @property
    def facts(self) -> Mapping[str, object]:
        """What it is and what it was made of, for machines."""
        return {"percentile": {"pairs": len(self.ordered), "reference": self.reference}}

    def apply(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return which percentage of the pairs is less alike, float32, to three decimals.

        Equally alike ones count half; nan, the score of a pair that failed, stays nan.
        """
        import numpy as np

        values = np.asarray(scores) * np.float32(self.sign)
        below = np.searchsorted(self.ordered, values, "left")
        up_to = np.searchsorted(self.ordered, values, "right")
        found = np.round((below + up_to) * (50 / len(self.ordered)), _DECIMALS)
        return np.where(np.isnan(values), np.nan, found).astype(np.float32)


def percentiles(vectors: NDArray[np.float32], metric: Metric, reference: str) -> Percentiles:
    """Return the scores of pairs of different rows of `vectors` [n, dimensions].

    That is each pair where there are at most `MOST_PAIRS`, else so many drawn at random, always the same
    ones. Raises `InputError` for less than two rows.
    """
    import numpy as np

    count = len(vectors)
    if count < 2:
        raise InputError(f"{reference} has no two texts to compare", hint="give a file with some hundred")
    if count * (count - 1) // 2 <= MOST_PAIRS:
        left, right = np.triu_indices(count, 1)
    else:
        generator = np.random.default_rng(_SEED)
        left = generator.integers(0, count, MOST_PAIRS)
        right = (left + generator.integers(1, count, MOST_PAIRS)) % count
    sign = -1 if metric.is_distance else 1
    scores = similarity.pairwise(vectors[left], vectors[right], metric)
    return Percentiles(np.sort(scores * np.float32(sign)), sign, reference)

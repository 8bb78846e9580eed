"""A score without NumPy is NumPy's own to the last bit, or none."""

from __future__ import annotations

from array import array

import numpy as np
import pytest
from numpy.typing import NDArray

from simil.similarity import Metric, pairwise
from simil.similarity.rounded_scores import rounded_score

_PAIRS, _DIMENSIONS = 2_500, (3, 32, 96, 384)


def _values(vector: NDArray[np.float32]) -> array[float]:
    return array("f", vector.tobytes())


def _pairs(dimensions: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Pairs from opposite to equal; unit vectors, and a tenth of any length."""
    random = np.random.default_rng(dimensions)
    left = random.normal(size=(_PAIRS, dimensions))
    right = random.normal(size=left.shape) + left * random.uniform(-3, 3, (_PAIRS, 1))
    sides = []
    for given in (left, right):
        side = given / np.linalg.norm(given, axis=1, keepdims=True)
        side[::10] *= 10.0 ** random.uniform(-12, 12, (len(side[::10]), 1))
        sides.append(side.astype(np.float32))
    sides[1][:20] = sides[0][:20]
    sides[1][20:40] = -sides[0][20:40]
    return sides[0], sides[1]


@pytest.mark.parametrize("metric", Metric)
def test_ten_thousand_pairs_have_the_bits_of_numpy(metric: Metric) -> None:
    uncertain = 0
    for dimensions in _DIMENSIONS:
        left, right = _pairs(dimensions)
        for a, b, expected in zip(left, right, pairwise(left, right, metric), strict=True):
            score = rounded_score(_values(a), _values(b), metric)
            uncertain += score is None
            assert score is None or np.float32(score).tobytes() == expected.tobytes()
            assert score is None or f"{score:.6f}" == f"{float(expected):.6f}"
    # Distances in three dimensions often are halfway between two numbers.
    assert uncertain < 1_000 if metric is Metric.MANHATTAN else uncertain < 20


@pytest.mark.parametrize(
    ("left", "right", "metric"),
    [
        # The sum is 1 + 2**-24, halfway between 1 and the next float32.
        ([1.0, 2.0**-12], [1.0, 2.0**-12], Metric.DOT),
        ([1.0, 2.0**-24], [0.0, 0.0], Metric.MANHATTAN),
        ([0.0, 0.0], [1.0, 1.0], Metric.COSINE),
        ([1.0, 0.0], [0.0, 1.0], Metric.COSINE),
        ([-1.0, 0.0], [0.0, 1.0], Metric.DOT),
        ([1.0, float("nan")], [1.0, 0.0], Metric.EUCLIDEAN),
        ([float("inf"), 1.0], [float("-inf"), 1.0], Metric.DOT),
        ([3e38, 3e38], [-3e38, 3e38], Metric.MANHATTAN),
        ([1.0], [1.0, 2.0], Metric.DOT),
    ],
    ids=[
        "a tie", "a tie of distances", "no direction", "right angles", "zero has two signs", "not a number",
        "infinite", "beyond float32", "two lengths",
    ],
)  # fmt: skip
def test_what_is_not_certain_has_no_score(left: list[float], right: list[float], metric: Metric) -> None:
    assert rounded_score(array("f", left), array("f", right), metric) is None


def test_equal_vectors_are_at_no_distance() -> None:
    for metric in (Metric.EUCLIDEAN, Metric.MANHATTAN):
        assert rounded_score(array("f", [0.1, 0.2]), array("f", [0.1, 0.2]), metric) == 0

"""Percentiles among random pairs, against scipy's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from simil import similarity
from simil.errors import InputError
from simil.similarity import Metric
from simil.tasks.evaluation.percentiles import MOST_PAIRS, Percentiles, percentiles


@given(
    reference=st.lists(st.integers(-4, 4).map(lambda n: n / 4), min_size=1, max_size=30),
    asked=st.lists(st.integers(-5, 5).map(lambda n: n / 4), min_size=1, max_size=10),
    sign=st.sampled_from([1, -1]),
)
def test_ties_count_half_as_in_scipy(reference: list[float], asked: list[float], sign: int) -> None:
    scale = Percentiles(np.sort(np.array(reference, np.float32) * sign), sign, "r")
    found = scale.apply(np.array(asked, np.float32))
    expected = [
        stats.percentileofscore([sign * value for value in reference], sign * one, kind="mean")
        for one in asked
    ]
    assert found == pytest.approx(np.round(expected, 3), rel=0, abs=1e-5)
    assert ((found >= 0) & (found <= 100)).all()


@pytest.mark.parametrize("metric", Metric)
def test_of_few_texts_each_pair_counts_once(metric: Metric) -> None:
    vectors = np.random.default_rng(1).normal(size=(12, 4)).astype(np.float32)
    scale = percentiles(vectors, metric, "r.txt")
    every = similarity.matrix(vectors, vectors, metric)[np.triu_indices(12, 1)]
    sign = -1 if metric.is_distance else 1
    assert scale.ordered == pytest.approx(np.sort(sign * every), abs=1e-5)
    nearest = np.array([sign * 1e6], np.float32)
    assert (scale.apply(nearest)[0], scale.apply(-nearest)[0]) == (100, 0)


def test_of_many_texts_pairs_are_drawn_alike_each_time() -> None:
    vectors = np.random.default_rng(2).normal(size=(400, 4)).astype(np.float32)
    one, other = (percentiles(vectors, Metric.COSINE, "r") for _ in range(2))
    assert len(one.ordered) == MOST_PAIRS
    assert np.array_equal(one.ordered, other.ordered)
    # No text is paired with itself, and the sample is like the whole.
    assert one.ordered[-1] < 0.9999999
    every = similarity.matrix(vectors, vectors)[np.triu_indices(400, 1)]
    assert stats.ks_2samp(one.ordered, every).pvalue > 1e-3


@pytest.mark.parametrize("count", [0, 1])
def test_two_texts_are_needed(count: int) -> None:
    with pytest.raises(InputError, match="no two texts"):
        percentiles(np.ones((count, 3), np.float32), Metric.COSINE, "r.txt")

"""A threshold that is copied from an output selects the score that it was copied from, and no lower one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.printed import reaches

from simil import similarity
from simil.similarity import Metric, as_printed, lowest_score

scores = st.one_of(st.floats(-1, 1, width=32), st.floats(-2000, 2000, width=32))


@given(score=scores, decimals=st.sampled_from([2, 6]))
@example(score=float(np.float32(0.19066453)), decimals=6)  # printed as 0.190665, which is more
@example(score=0.0078125, decimals=6)  # half of the last digit
@example(score=float(np.float32(0.99999994)), decimals=6)
def test_a_score_reaches_what_is_printed_of_it(score: float, decimals: int) -> None:
    printed = float(f"{np.float32(score):.{decimals}f}")
    assert as_printed(np.array([score], np.float32), decimals)[0] == printed
    assert np.float32(score) >= lowest_score(printed, decimals)
    for metric in Metric:
        assert metric.reaches(score, printed, decimals)
        assert metric.reaches(score, score, decimals)


@given(score=scores, threshold=scores, decimals=st.sampled_from([2, 6]), short=st.booleans())
@example(score=float(np.float32(0.0078125)), threshold=0.007813, decimals=6, short=True)
@example(score=float(np.float32(0.9)), threshold=0.9, decimals=6, short=True)
def test_what_is_printed_as_less_does_not_reach_it(
    score: float, threshold: float, decimals: int, short: bool
) -> None:
    asked = round(threshold, decimals) if short else threshold
    assert (np.float32(score) >= lowest_score(asked, decimals)) == reaches(score, asked, decimals)
    assert Metric.COSINE.reaches(score, asked, decimals) == reaches(score, asked, decimals)
    assert Metric.EUCLIDEAN.reaches(score, asked, decimals) == reaches(-score, -asked, decimals)


@pytest.mark.parametrize("step", [-1, 0, 1, 2])
@given(threshold=st.integers(-1_000_000, 1_000_000))
def test_the_lowest_is_the_lowest(threshold: int, step: int) -> None:
    asked = threshold / 1_000_000
    lowest = lowest_score(asked)
    assert float(f"{lowest:.6f}") == asked
    assert float(f"{np.nextafter(lowest, np.float32(-np.inf)):.6f}") < asked


@pytest.mark.parametrize("threshold", [float("inf"), float("-inf"), 1e300, -1e300, 3e38, 0.0, -0.0, 1e-45])
def test_extreme_thresholds(threshold: float) -> None:
    for score in (-np.inf, -3e38, 0.0, 3e38, np.inf):
        with np.errstate(over="ignore"):
            expected = np.float32(score) >= np.float32(threshold)
        assert Metric.COSINE.reaches(score, threshold) == expected
    assert not Metric.COSINE.reaches(0.5, float("nan"))


@given(seed=st.integers(0, 2**32 - 1), columns=st.integers(2, 9))
def test_joins_select_every_pair_by_its_printed_score(seed: int, columns: int) -> None:
    vectors = similarity.unit(np.random.default_rng(seed).standard_normal((9, columns)))
    best, rows = similarity.top_k(vectors, vectors, 9)
    for query in range(9):
        score, row = best[query, seed % 9], rows[query, seed % 9]
        printed = float(f"{score:.6f}")
        found = [*similarity.matches_above(vectors[query : query + 1], vectors, printed)]
        assert row in np.concatenate([rows for _, rows, _ in found])
        chosen = np.concatenate([scores for _, _, scores in found])
        assert (as_printed(chosen) >= printed).all()
        assert len(chosen) == (as_printed(best[query]) >= printed).sum()

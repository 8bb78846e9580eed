"""Metrics and their intervals, compared with scipy and scikit-learn, also on scores with ties."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as sk_metrics

from simil.tasks.evaluation import bootstrap, metrics

EXACT = {"rel": 0, "abs": 1e-9}
# Few values make many ties; wide ones make digits that are lost where sums are taken carelessly.
_VALUES = st.one_of(
    st.integers(-2, 2).map(float),
    st.floats(-1, 1, width=32),
    st.floats(1000, 1001, width=32),
)
_COLUMNS = st.integers(2, 40).flatmap(
    lambda count: st.tuples(
        st.lists(_VALUES, min_size=count, max_size=count),
        st.lists(st.integers(0, 5), min_size=count, max_size=count),
        st.lists(st.integers(0, 4), min_size=count, max_size=count).filter(any),
    )
)


def value(statistic, count):
    return bootstrap.estimate(statistic, count, 0).value


def reference(function, one, other):
    """The value of scipy, None for nan."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = float(function(one, other).statistic)
    return None if math.isnan(found) else found


@pytest.mark.parametrize(
    ("ours", "theirs"), [(metrics.pearson, stats.pearsonr), (metrics.spearman, stats.spearmanr)]
)
@given(columns=_COLUMNS)
def test_correlations_are_those_of_scipy(ours, theirs, columns):
    one, other, _ = (np.array(column, np.float64) for column in columns)
    found, expected = value(ours(one, other), len(one)), reference(theirs, one, other)
    if expected is None:
        # Values of which the spread is nothing but rounding are constant to scipy.
        assert found is None or np.ptp(one) < 1e-9 * np.abs(one).max() + 1e-300
    elif np.ptp(one) > 1e-6:
        assert found == pytest.approx(expected, **EXACT)


@pytest.mark.parametrize("size", [1e-310, 1e-200, 1e200, 1.5e308])
def test_correlations_of_the_largest_and_the_smallest_numbers(size):
    one, other = np.array([0.1, 0.2, 0.7, 0.4]), np.array([1, 0.5, -1, 0.2])
    expected = stats.pearsonr(one, other).statistic
    assert value(metrics.pearson(one, other * size), 4) == pytest.approx(expected, **EXACT)
    assert value(metrics.pearson(one * size, other), 4) == pytest.approx(expected, **EXACT)


@given(columns=_COLUMNS)
def test_average_precision_is_that_of_sklearn(columns):
    scores, labels = np.array(columns[0]), np.array(columns[1]) > 2
    found = value(metrics.average_precision(scores, labels), len(scores))
    if not labels.any():
        assert found is None
    else:
        assert found == pytest.approx(sk_metrics.average_precision_score(labels, scores), **EXACT)


@given(columns=_COLUMNS)
def test_the_best_f1_is_that_of_sklearns_curve(columns):
    exact, labels = np.array(columns[0], np.float32), np.array(columns[1]) > 2
    found = value(metrics.best_f1(exact, labels), len(exact))
    best = metrics.best_operating_point(exact, labels)
    # A threshold is passed on as it is printed, and so pairs that are printed alike count together.
    scores = np.array([float(f"{score:.6f}") for score in exact])
    if not labels.any():
        assert (found, best) == (None, None)
        return
    precision, recall, thresholds = sk_metrics.precision_recall_curve(labels, scores)
    precision, recall = precision[:-1], recall[:-1]
    total = precision + recall
    f1 = np.divide(2 * precision * recall, total, out=np.zeros_like(total), where=total > 0)
    assert found == pytest.approx(f1.max(), **EXACT)
    assert best is not None
    place = int(np.flatnonzero(thresholds == best.threshold)[0])
    assert best.precision == pytest.approx(precision[place], **EXACT)
    assert best.recall == pytest.approx(recall[place], **EXACT)
    assert f1[place] == pytest.approx(f1.max(), **EXACT)
    # Of thresholds that do equally well, the highest.
    assert not (f1[place + 1 :] > f1.max() - 1e-12).any()


def around(scores, relevant):
    """For each relevant document, how many score more, and how many the same."""
    own = scores[relevant][:, None]
    return (scores > own).sum(axis=1), (scores == own).sum(axis=1)


@given(columns=_COLUMNS, k=st.integers(1, 12))
def test_ndcg_is_that_of_sklearn(columns, k):
    scores, grades = (np.array(columns[place], np.float64) for place in (0, 2))
    relevant = grades > 0
    found = metrics.ndcg(*around(scores, relevant), grades[relevant], k)
    assert found == pytest.approx(sk_metrics.ndcg_score(grades[None], scores[None], k=k), **EXACT)


@given(columns=_COLUMNS, k=st.integers(1, 12))
def test_recall_is_the_mean_over_all_orders_of_equal_scores(columns, k):
    scores, grades = (np.array(columns[place], np.float64) for place in (0, 2))
    relevant = grades > 0
    found = metrics.recall(*around(scores, relevant), k)
    # Of each group of equal scores, the share that fits among the first k.
    expected, left = 0.0, k
    for score in np.unique(scores)[::-1]:
        group = scores == score
        expected += min(left / group.sum(), 1) * (group & relevant).sum()
        left = max(left - group.sum(), 0)
    assert found == pytest.approx(expected / relevant.sum(), **EXACT)


@pytest.mark.parametrize("make", [metrics.pearson, metrics.spearman])
def test_what_is_constant_has_no_correlation(make):
    score = bootstrap.estimate(make(np.full(5, 0.1), np.arange(5.0)), 5, 100)
    assert score == bootstrap.Estimate(None)


@pytest.mark.parametrize("make", [metrics.average_precision, metrics.best_f1])
@pytest.mark.parametrize("count", [1, 4])
def test_where_nothing_is_alike_there_is_nothing_to_find(make, count):
    assert bootstrap.estimate(make(np.arange(float(count)), np.zeros(count, bool)), count, 50).value is None


def _samples(count, resamples):
    """The samples of the bootstrap as rows, drawn as their count is."""
    generator = np.random.default_rng(bootstrap.SEED)
    return generator.integers(0, count, (resamples, count))


@pytest.mark.parametrize("ties", [False, True])
def test_intervals_are_those_of_samples_drawn_one_by_one(ties):
    generator = np.random.default_rng(3)
    one, other = generator.normal(size=(2, 30))
    other = np.round(other + one, 0) if ties else other + one
    alike = other > 0.5
    rows = _samples(30, 40)
    for statistic, single in (
        (metrics.pearson(one, other), lambda s: stats.pearsonr(one[s], other[s]).statistic),
        (metrics.spearman(one, other), lambda s: stats.spearmanr(one[s], other[s]).statistic),
        (
            metrics.average_precision(one, alike),
            lambda s: sk_metrics.average_precision_score(alike[s], one[s]),
        ),
        (metrics.mean(one), lambda s: one[s].mean()),
    ):
        low, high = np.percentile([single(sample) for sample in rows], [2.5, 97.5])
        score = bootstrap.estimate(statistic, 30, 40)
        assert (score.low, score.high) == pytest.approx((low, high), **EXACT)


def test_blocks_of_resamples_are_the_same_samples(monkeypatch):
    one, other = np.random.default_rng(4).normal(size=(2, 50))
    whole = bootstrap.estimate(metrics.spearman(one, other), 50, 60)
    monkeypatch.setattr(bootstrap, "_CELLS", 350)
    assert bootstrap.estimate(metrics.spearman(one, other), 50, 60) == whole


def test_an_interval_holds_the_truth_about_as_often_as_it_says():
    generator = np.random.default_rng(5)
    hits = 0
    for _ in range(200):
        sample = generator.normal(size=60)
        score = bootstrap.estimate(metrics.mean(sample), 60, 300)
        assert score.low is not None and score.high is not None
        hits += score.low <= 0 <= score.high
    assert 0.88 <= hits / 200 <= 0.99

"""Every function against a plain float64 reference: SciPy's distances, or NumPy without tricks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial import distance
from support.printed import reaches

from simil import similarity
from simil.errors import InputError
from simil.similarity import Metric

LARGEST = float(np.finfo(np.float32).max)
SMALLEST = float(np.finfo(np.float32).smallest_subnormal)
SCIPY = {
    Metric.COSINE: "cosine",
    Metric.EUCLIDEAN: "euclidean",
    Metric.MANHATTAN: "cityblock",
}

finite = st.floats(-1e3, 1e3, width=32)
any_finite = st.floats(width=32, allow_nan=False, allow_infinity=False)


def tables(
    rows: st.SearchStrategy[int] = st.integers(0, 9),  # noqa: B008
    columns: st.SearchStrategy[int] = st.integers(1, 5),  # noqa: B008
    values: st.SearchStrategy[float] = finite,
) -> st.SearchStrategy[Any]:
    return st.tuples(rows, columns).flatmap(lambda shape: arrays(np.float32, shape, elements=values))


@st.composite
def two_tables(draw: st.DrawFn, values: st.SearchStrategy[float] = finite, same: bool = False) -> Any:
    columns = draw(st.integers(1, 5))
    left = draw(tables(columns=st.just(columns), values=values))
    rows = st.just(len(left)) if same else st.integers(0, 9)
    return left, draw(tables(rows=rows, columns=st.just(columns), values=values))


def spread(rows: int, columns: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).standard_normal((rows, columns)).astype(np.float32)


def reference(left: Any, right: Any, metric: Metric) -> Any:
    left, right = left.astype(np.float64), right.astype(np.float64)
    if metric is Metric.DOT:
        return left @ right.T
    result = distance.cdist(left, right, SCIPY[metric])
    return 1 - result if metric is Metric.COSINE else result


def without_zero_rows(table: Any) -> Any:
    return table[table.any(axis=1)]


# --- unit ---


@given(tables(values=any_finite))
def test_unit_or_zero_gives_length_1_and_keeps_zero_rows(table: Any) -> None:
    result = similarity.unit_or_zero(table)

    assert result.dtype == np.float32
    assert result.shape == table.shape
    lengths = np.linalg.norm(result.astype(np.float64), axis=1)
    np.testing.assert_allclose(lengths, table.any(axis=1).astype(float), atol=1e-6)
    np.testing.assert_array_equal(similarity.unit(without_zero_rows(table)), without_zero_rows(result))


@given(tables(rows=st.integers(1, 5)).map(without_zero_rows))
def test_unit_keeps_the_direction(table: Any) -> None:
    exact = table.astype(np.float64)
    exact /= np.abs(exact).max(axis=1, keepdims=True, initial=SMALLEST)
    exact /= np.linalg.norm(exact, axis=1, keepdims=True)
    np.testing.assert_allclose(similarity.unit(table), exact, rtol=1e-6, atol=1e-37)


@pytest.mark.parametrize("size", [LARGEST, 1.0, 1e-30, SMALLEST])
def test_unit_of_rows_of_any_magnitude(size: float) -> None:
    table = np.full((3, 4), size, dtype=np.float32)
    np.testing.assert_array_equal(similarity.unit(table), np.full((3, 4), 0.5, np.float32))


@pytest.mark.parametrize("size", [1e300, 1e-300])
def test_unit_of_float64_rows_beyond_float32(size: float) -> None:
    np.testing.assert_array_equal(similarity.unit(np.full((1, 4), size)), np.full((1, 4), 0.5, np.float32))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("function", [similarity.unit, similarity.unit_or_zero])
def test_a_row_that_is_not_finite_is_named(function: Any, bad: float) -> None:
    table = spread(100_000, 5)
    table[70_000, 3] = bad
    with pytest.raises(InputError, match="vector 70001 is not finite"):
        function(table)


def test_a_zero_row_is_named() -> None:
    table = spread(100_000, 5)
    table[[60_000, 80_000]] = 0
    with pytest.raises(InputError, match="vector 60001 is zero"):
        similarity.unit(table)
    assert not similarity.unit_or_zero(table)[60_000].any()


def test_the_given_array_stays_as_it_is() -> None:
    table = spread(4, 3).astype(np.float64)
    before = table.copy()
    similarity.unit(table)
    for metric in Metric:
        similarity.pairwise(table, table, metric)
        similarity.matrix(table, table, metric)
    np.testing.assert_array_equal(table, before)


# --- metric ---


def test_which_metrics_are_distances() -> None:
    assert [metric for metric in Metric if metric.is_distance] == [Metric.EUCLIDEAN, Metric.MANHATTAN]


@given(st.floats(-2, 2), st.floats(-2, 2))
def test_reaches(score: float, threshold: float) -> None:
    for metric in Metric:
        expected = reaches(-score, -threshold) if metric.is_distance else reaches(score, threshold)
        assert metric.reaches(score, threshold) is expected
        np.testing.assert_array_equal(metric.reaches(np.array([score], np.float32), threshold), [expected])


@given(st.floats(0, 1))
def test_a_score_reaches_the_threshold_it_equals(threshold: float) -> None:
    assert all(metric.reaches(float(np.float32(threshold)), threshold) for metric in Metric)


# --- pairwise and matrix ---


@pytest.mark.parametrize("metric", Metric)
@given(two_tables())
def test_matrix_is_the_reference(metric: Metric, both: Any) -> None:
    left, right = both
    if metric is Metric.COSINE:
        left, right = without_zero_rows(left), without_zero_rows(right)
    result = similarity.matrix(left, right, metric)

    assert result.dtype == np.float32
    assert result.shape == (len(left), len(right))
    expected = reference(left, right, metric)
    # cdist squares small numbers without scaling, which cosine of tiny vectors does not survive.
    sound = np.ones(expected.shape, dtype=bool)
    if metric is Metric.COSINE:
        norms = [np.linalg.norm(side.astype(np.float64), axis=1) > 1e-30 for side in (left, right)]
        sound = np.logical_and.outer(*norms)
        assert np.all(np.abs(result) <= 1)
    np.testing.assert_allclose(result[sound], expected[sound], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("metric", Metric)
@given(both=two_tables(same=True))
def test_pairwise_is_the_diagonal(metric: Metric, both: Any) -> None:
    left, right = both
    keep = left.any(axis=1) & right.any(axis=1)
    left, right = left[keep], right[keep]
    result = similarity.pairwise(left, right, metric)

    assert result.dtype == np.float32
    assert result.shape == (len(left),)
    np.testing.assert_allclose(
        result, np.diagonal(similarity.matrix(left, right, metric)), rtol=1e-6, atol=1e-6
    )


@pytest.mark.parametrize("metric", Metric)
@given(tables(rows=st.integers(1, 9), values=any_finite).map(without_zero_rows))
def test_equal_rows_and_symmetry(metric: Metric, table: Any) -> None:
    result = similarity.matrix(table, table, metric)
    np.testing.assert_array_equal(result, result.T)
    if metric.is_distance:
        assert not np.diagonal(result).any()
        assert not similarity.pairwise(table, table, metric).any()
        assert not np.diagonal(similarity.matrix(table, table.copy(), metric)).any()
    if metric is Metric.COSINE:
        np.testing.assert_allclose(np.diagonal(result), 1, atol=1e-6)
        np.testing.assert_allclose(similarity.pairwise(table, table, metric), 1, atol=1e-6)


def test_euclidean_of_nearly_equal_rows_keeps_its_digits() -> None:
    left = spread(50, 384)
    right = np.nextafter(left, np.float32(np.inf))
    expected = reference(left, right, Metric.EUCLIDEAN)
    np.testing.assert_allclose(similarity.matrix(left, right, Metric.EUCLIDEAN), expected, rtol=1e-6)
    np.testing.assert_allclose(
        similarity.pairwise(left, right, Metric.EUCLIDEAN), np.diagonal(expected), rtol=1e-6
    )


@pytest.mark.parametrize("metric", Metric)
@pytest.mark.parametrize("shape", [(300, 70, 40), (1, 900, 384), (900, 1, 384), (3, 2, 300_000)])
def test_sizes_that_fill_no_block(metric: Metric, shape: tuple[int, int, int]) -> None:
    left, right = spread(shape[0], shape[2]), spread(shape[1], shape[2], seed=1)
    expected = reference(left, right, metric)
    np.testing.assert_allclose(similarity.matrix(left, right, metric), expected, rtol=2e-6, atol=2e-6)
    pieces = list(similarity.matrix_blocks(left, right, metric, rows=7))
    assert [start for start, _ in pieces] == list(range(0, len(left), 7))
    np.testing.assert_allclose(np.concatenate([block for _, block in pieces]), expected, rtol=2e-6, atol=2e-6)


def test_results_beyond_float32_are_infinite_without_a_warning() -> None:
    table = np.array([[LARGEST, LARGEST], [-LARGEST, LARGEST]], dtype=np.float32)
    assert similarity.matrix(table, table, Metric.EUCLIDEAN)[0, 1] == np.inf
    assert similarity.pairwise(table, table, Metric.DOT)[0] == np.inf
    assert similarity.matrix(table, table, Metric.DOT)[0, 1] == 0


def test_shapes_that_do_not_fit() -> None:
    four, three = spread(2, 4), spread(2, 3)
    with pytest.raises(InputError, match="of 4 and 3 dimensions"):
        similarity.matrix(four, three)
    with pytest.raises(InputError, match="of 4 and 3 dimensions"):
        next(similarity.matrix_blocks(four, three))
    with pytest.raises(InputError, match="of 4 and 3 dimensions"):
        similarity.top_k(four, three, 1)
    with pytest.raises(InputError, match="row by row"):
        similarity.pairwise(four, four[:1])
    with pytest.raises(InputError, match=r"shape \(4,\)"):
        similarity.unit(four[0])


def test_cosine_names_a_zero_row() -> None:
    table = spread(90, 3)
    table[88] = 0
    with pytest.raises(InputError, match="vector 89 is zero"):
        similarity.matrix(table, table)
    with pytest.raises(InputError, match="vector 89 is zero"):
        similarity.pairwise(spread(90, 3), table)
    with pytest.raises(InputError, match="vector 89 is zero"):
        list(similarity.matrix_blocks(table, spread(3, 3), rows=20))


# --- mean ---


@given(tables(rows=st.integers(1, 9)), st.data())
def test_weighted_mean_is_the_average(table: Any, data: st.DataObject) -> None:
    weights = data.draw(st.lists(st.integers(1, 512), min_size=len(table), max_size=len(table)))
    result = similarity.weighted_mean(table, weights)
    assert result.dtype == np.float32
    expected = np.average(table.astype(np.float64), axis=0, weights=weights)
    np.testing.assert_allclose(result, expected, rtol=1e-6, atol=1e-6)


def test_weighted_mean_with_weights_of_any_magnitude() -> None:
    table = np.array([[1, 3], [3, 5]], dtype=np.float32)
    for weight in (1e308, 5e-324):
        np.testing.assert_array_equal(similarity.weighted_mean(table, [weight, weight]), [2, 4])


@pytest.mark.parametrize("weights", [[1.0], [1.0, -1.0], [0.0, 0.0], [1.0, np.inf], [1.0, np.nan]])
def test_weights_that_make_no_mean(weights: list[float]) -> None:
    with pytest.raises(InputError, match=r"mean|averaged"):
        similarity.weighted_mean(spread(2, 3), weights)

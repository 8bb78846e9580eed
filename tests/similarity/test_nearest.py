"""`top_k` and `pairs_above`, held against a stable sort and a double loop, in and out of memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.printed import reaches

from simil import similarity
from simil.errors import InputError
from simil.similarity import Metric

LARGEST = float(np.finfo(np.float32).max)
BEYOND = [np.nan, np.inf, -np.inf]

seeds = st.integers(0, 2**32 - 1)


def spread(rows: int, columns: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).standard_normal((rows, columns)).astype(np.float32)


def whole(rows: int, columns: int, seed: int, largest: int = 3) -> Any:
    """Rows of small whole numbers, none of them zero: products are exact, and ties are many."""
    table = np.random.default_rng(seed).integers(-largest, largest + 1, (rows, columns)).astype(np.float32)
    table[~table.any(axis=1), 0] = 1
    return table


def ranked(queries: Any, corpus: Any, k: int) -> Any:
    """What `top_k` is to give, from every score as `pairwise` has it and a stable sort."""
    every = np.indices((len(queries), len(corpus))).reshape(2, -1)
    scores = similarity.pairwise(queries[every[0]], corpus[every[1]], Metric.DOT)
    scores = scores.reshape(len(queries), len(corpus))
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(scores, order, axis=1), order


def assert_ranked(queries: Any, corpus: Any, k: int, **options: int) -> None:
    scores, indices = similarity.top_k(queries, corpus, k, **options)

    assert (scores.dtype, indices.dtype) == (np.float32, np.int64)
    assert scores.shape == indices.shape == (len(queries), max(0, min(k, len(corpus))))
    expected_scores, expected_indices = ranked(queries, corpus, max(0, k))
    np.testing.assert_array_equal(indices, expected_indices)
    np.testing.assert_array_equal(scores, expected_scores)


def found(vectors: Any, threshold: float, **options: int) -> dict[tuple[int, int], float]:
    """What `pairs_above` yields, once its form is checked."""
    pairs: dict[tuple[int, int], float] = {}
    blocks = []
    for i, j, score in similarity.pairs_above(vectors, threshold, **options):
        assert len(i) == len(j) == len(score) > 0
        assert (i.dtype, j.dtype, score.dtype) == (np.int64, np.int64, np.float32)
        places = list(zip(i.tolist(), j.tolist(), strict=True))
        assert places == sorted(set(places))
        assert not pairs.keys() & set(places)
        pairs.update(zip(places, score.tolist(), strict=True))
        rows = options.get("block_rows", 1024)
        blocks.append((places[0][0] // rows, places[0][1] // rows))
        assert {(left // rows, right // rows) for left, right in places} == {blocks[-1]}
    assert blocks == sorted(blocks)
    return pairs


def above(vectors: Any, threshold: float) -> dict[tuple[int, int], float]:
    i, j = np.triu_indices(len(vectors), k=1)
    scores = similarity.pairwise(vectors[i], vectors[j], Metric.DOT)
    reached = np.array([reaches(score, threshold) for score in scores], bool)
    return dict(
        zip(zip(i[reached].tolist(), j[reached].tolist(), strict=True), scores[reached].tolist(), strict=True)
    )


# --- top_k ---


@given(
    st.integers(0, 6), st.integers(0, 700), st.integers(1, 4), st.integers(1, 3), seeds,
    st.integers(-1, 30), st.integers(1, 300),
)  # fmt: skip
def test_top_k_is_a_stable_sort(
    asked: int, rows: int, columns: int, largest: int, seed: int, k: int, block_rows: int
) -> None:
    queries, corpus = whole(asked, columns, seed, largest), whole(rows, columns, seed + 1, largest)
    assert_ranked(queries, corpus, k, block_rows=block_rows)


@given(st.integers(1, 4), st.integers(1, 16), st.integers(1, 40), seeds, st.integers(1, 16))
def test_scores_are_those_of_pairwise(asked: int, rows: int, columns: int, seed: int, k: int) -> None:
    assert_ranked(spread(asked, columns, seed), spread(rows, columns, seed + 1), k, block_rows=3)


@pytest.mark.parametrize("k", [1, 299, 300, 301, 5000])
@pytest.mark.parametrize("asked", [1, 2, 30])
@pytest.mark.parametrize("block_rows", [1, 7, 300])
def test_k_up_to_all_rows_and_beyond(k: int, asked: int, block_rows: int) -> None:
    assert_ranked(whole(asked, 5, 1), whole(300, 5, 2), k, block_rows=block_rows)


def test_more_queries_than_are_scored_at_once() -> None:
    assert_ranked(whole(1100, 6, 1), whole(333, 6, 2), 20, block_rows=50)


@pytest.mark.parametrize("row", [[2, 1, 3], [-2, -1, -3], [1, 1, -1]])
def test_of_equal_scores_the_first_rows_are_taken(row: list[float]) -> None:
    corpus = np.tile(np.array(row, np.float32), (3000, 1))
    scores, indices = similarity.top_k(np.ones((2, 3), np.float32), corpus, 40, block_rows=100)
    np.testing.assert_array_equal(indices, [list(range(40))] * 2)
    np.testing.assert_array_equal(scores, np.full((2, 40), sum(row), np.float32))


@pytest.mark.parametrize("sign", [1, -1])
def test_scores_that_only_rise_or_only_fall(sign: int) -> None:
    corpus = sign * np.arange(1, 4001, dtype=np.float32)[:, None]
    scores, indices = similarity.top_k(np.ones((1, 1), np.float32), corpus, 30, block_rows=64)
    best = np.arange(3999, 3969, -1) if sign == 1 else np.arange(30)
    np.testing.assert_array_equal(indices[0], best)
    np.testing.assert_array_equal(scores[0], corpus[best, 0])


@pytest.mark.parametrize("asked", [1, 2, 40])
@given(columns=st.integers(16, 400), seed=seeds, block_rows=st.integers(50, 500))
def test_equal_rows_come_in_their_order(asked: int, columns: int, seed: int, block_rows: int) -> None:
    # How BLAS rounds a product depends on where in the block the row is.
    corpus = similarity.unit(spread(1200, columns, seed))
    copies = np.sort(np.random.default_rng(seed).choice(1200, 12, replace=False))
    corpus[copies] = corpus[copies[0]]
    queries = similarity.unit(corpus[copies[0]] + spread(asked, columns, seed + 1) / 100)
    scores, indices = similarity.top_k(queries, corpus, 6, block_rows=block_rows)
    for line, row in zip(scores, indices, strict=True):
        equal = np.isin(row, copies)
        assert equal.any()
        np.testing.assert_array_equal(row[equal], copies[: equal.sum()])
        assert len(set(line[equal].tolist())) == 1


def test_zero_has_no_sign() -> None:
    corpus = np.array([[-1e-30], [1e-30], [-1e-30]], dtype=np.float32)  # products beyond float32: -0, 0, -0
    scores, indices = similarity.top_k(np.array([[1e-30]], np.float32), corpus, 3)
    np.testing.assert_array_equal(indices, [[0, 1, 2]])
    np.testing.assert_array_equal(scores, [[0, 0, 0]])


def test_what_needs_no_rows_reads_none() -> None:
    bad = np.full((5, 3), np.nan, dtype=np.float32)
    for k in (0, -2):
        scores, indices = similarity.top_k(bad, bad, k)
        assert scores.shape == indices.shape == (5, 0)
    scores, indices = similarity.top_k(bad[:0], bad, 2)
    assert scores.shape == indices.shape == (0, 2)
    assert (scores.dtype, indices.dtype) == (np.float32, np.int64)
    scores, indices = similarity.top_k(spread(2, 3), bad[:0], 2)
    assert scores.shape == indices.shape == (2, 0)


def misaligned(table: Any) -> Any:
    raw = np.zeros(table.nbytes + 1, dtype=np.uint8)
    raw[1:] = np.frombuffer(table.tobytes(), dtype=np.uint8)
    result = raw[1:].view(np.float32).reshape(table.shape)
    assert not result.flags.aligned
    return result


FORMS: dict[str, Any] = {
    "float16": lambda table: table.astype(np.float16),
    "float64": lambda table: table.astype(np.float64),
    "int64": lambda table: table.astype(np.int64),
    "big-endian": lambda table: table.astype(">f4"),
    "Fortran order": np.asfortranarray,
    "Fortran order, float16": lambda table: np.asfortranarray(table.astype(np.float16)),
    "every second row": lambda table: np.repeat(table, 2, axis=0)[::2],
    "every second column": lambda table: np.repeat(table, 2, axis=1)[:, ::2],
    "from the last": lambda table: table[::-1].copy()[::-1],
    "misaligned": misaligned,
    "a list": lambda table: table.tolist(),
}


@pytest.mark.parametrize("form", FORMS)
def test_tables_of_any_form(form: str) -> None:
    queries, corpus = whole(5, 6, 1), whole(900, 6, 2)
    expected = similarity.top_k(queries, corpus, 12)
    for given_queries, given_corpus in (
        (queries, FORMS[form](corpus)),
        (FORMS[form](queries), corpus),
        (FORMS[form](queries)[:1], FORMS[form](corpus)),
    ):
        scores, indices = similarity.top_k(given_queries, given_corpus, 12, block_rows=100)
        np.testing.assert_array_equal(indices, expected[1][: len(given_queries)])
        np.testing.assert_array_equal(scores, expected[0][: len(given_queries)])
    assert found(FORMS[form](corpus), 30, block_rows=100) == above(corpus, 30) != {}


def test_float16_loses_nothing() -> None:
    corpus = spread(3000, 50).astype(np.float16)
    queries = spread(3, 50, seed=1)
    for both in zip(
        similarity.top_k(queries, corpus, 9, block_rows=100),
        ranked(queries, corpus.astype(np.float32), 9),
        strict=True,
    ):
        np.testing.assert_array_equal(*both)


# --- rows that cannot be compared ---


@pytest.mark.parametrize("columns", ["C", "F"])
@pytest.mark.parametrize("asked", [1, 2, 20])
@pytest.mark.parametrize("bad", [*BEYOND, 0.0])
@pytest.mark.parametrize("row", [0, 299, 70_000])
def test_top_k_names_a_bad_row(columns: Any, asked: int, bad: float, row: int) -> None:
    corpus = np.array(spread(70_001, 5), order=columns)
    # A row is zero when it is so everywhere; one value makes it not finite.
    corpus[row, slice(None) if bad == 0 else 3] = bad
    # NaN times 0 is NaN, and so is inf: no query hides it.
    queries = np.eye(5, dtype=np.float32)[[0] * asked]
    what = "is zero and has no direction" if bad == 0 else "is not finite"
    with pytest.raises(InputError, match=f"^vector {row + 1} {what}$"):
        similarity.top_k(queries, corpus, 3, block_rows=1000)


def test_the_first_bad_row_is_named() -> None:
    corpus = spread(900, 5)
    corpus[700] = 0
    corpus[701] = np.nan
    with pytest.raises(InputError, match="vector 701 is zero"):
        similarity.top_k(spread(1, 5), corpus, 3)
    corpus[699] = np.inf
    with pytest.raises(InputError, match="vector 700 is not finite"):
        similarity.top_k(spread(1, 5), corpus, 3)
    with pytest.raises(InputError, match="vector 700 is not finite"):
        list(similarity.pairs_above(corpus, 0.5))


@pytest.mark.parametrize("row", [0, 255, 256, 600])
def test_top_k_names_a_bad_query(row: int) -> None:
    queries = spread(601, 5)
    queries[row] = 0
    with pytest.raises(InputError, match=f"^query {row + 1} is zero and has no direction$"):
        similarity.top_k(queries, spread(9, 5), 3)
    for bad in BEYOND:
        queries[row, 2] = bad
        with pytest.raises(InputError, match=f"^query {row + 1} is not finite$"):
            similarity.top_k(queries, spread(9, 5), 3)


def test_a_score_of_zero_is_no_zero_row() -> None:
    corpus = np.zeros((1000, 3), dtype=np.float32)
    corpus[:, 1] = 1
    corpus[777, 0] = 1
    assert_ranked(np.eye(3, dtype=np.float32)[:1], corpus, 3, block_rows=50)


def test_values_count_as_float32() -> None:
    for value, what in ((1e300, "not finite"), (1e-300, "zero")):
        table = np.ones((300, 2))
        table[280] = value
        with pytest.raises(InputError, match=f"vector 281 is {what}"):
            similarity.top_k(spread(1, 2), table, 1)
        with pytest.raises(InputError, match=f"query 281 is {what}"):
            similarity.top_k(table, spread(1, 2), 1)
        with pytest.raises(InputError, match=f"vector 281 is {what}"):
            list(similarity.pairs_above(table, 0))


def test_rows_without_columns_have_no_direction() -> None:
    with pytest.raises(InputError, match="query 1 is zero"):
        similarity.top_k(spread(2, 0), spread(2, 0), 1)
    with pytest.raises(InputError, match="vector 1 is zero"):
        list(similarity.pairs_above(spread(1, 0), 0.5))


@pytest.mark.parametrize("bad", [*BEYOND, 0.0])
@pytest.mark.parametrize("row", [0, 7, 55, 59])
def test_pairs_above_names_a_bad_row_and_yields_no_pair_of_it(bad: float, row: int) -> None:
    vectors = np.abs(spread(60, 5)) + 1
    vectors[row, slice(None) if bad == 0 else 3] = bad
    what = "is zero and has no direction" if bad == 0 else "is not finite"
    yielded: list[int] = []
    with pytest.raises(InputError, match=f"^vector {row + 1} {what}$"):
        for i, j, _ in similarity.pairs_above(vectors, 0, block_rows=8):
            yielded += [*i, *j]
    assert row not in yielded
    assert bool(yielded) == (row >= 8)


def test_a_single_row_is_looked_at() -> None:
    assert found(spread(1, 5), 0) == {}
    with pytest.raises(InputError, match="vector 1 is zero"):
        list(similarity.pairs_above(np.zeros((1, 5), np.float32), 0))


def test_blocks_need_rows_and_row_numbers_32_bits() -> None:
    for block_rows in (0, -1):
        with pytest.raises(ValueError, match="block"):
            similarity.top_k(spread(1, 5), spread(9, 5), 3, block_rows=block_rows)
        with pytest.raises(ValueError, match="block"):
            list(similarity.pairs_above(spread(9, 5), 0.5, block_rows=block_rows))
    endless = np.broadcast_to(np.float32(1), (2**32 + 1, 1))
    with pytest.raises(InputError, match="4294967297 vectors are too many"):
        similarity.top_k(endless[:1], endless, 1)


# --- scores beyond float32 ---


@pytest.mark.parametrize("asked", [1, 3])
def test_scores_beyond_float32_are_infinite(asked: int) -> None:
    corpus = spread(600, 4)
    corpus[[20, 500]] = LARGEST
    corpus[[10, 400]] = -LARGEST
    queries = np.abs(spread(asked, 4, seed=1)) + 3
    scores, indices = similarity.top_k(queries, corpus, 600, block_rows=100)
    for line, row in zip(scores, indices, strict=True):
        assert line[[0, 1, 2, -3, -2, -1]].tolist() == [np.inf, np.inf, line[2], line[-3], -np.inf, -np.inf]
        assert row[[0, 1, -2, -1]].tolist() == [20, 500, 10, 400]
        assert np.isfinite(line[2:-2]).all()
    assert_ranked(queries, corpus, 3)


@pytest.mark.parametrize("heavy", [0, 3, 8])
@given(seed=seeds)
def test_a_sum_that_overflows_on_its_way_is_no_score(heavy: int, seed: int) -> None:
    # In float32 these are NaN, or infinite, by the order in which they are summed.
    corpus = whole(120, 8, seed)
    rng = np.random.default_rng(seed)
    rows = rng.choice(120, 9, replace=False)
    corpus[rows] = rng.permuted(np.tile(np.array([1, 1, 1, 1, -1, -1, -1, -1]) * LARGEST, (9, 1)), axis=1)
    queries = whole(9, 8, seed + 1)
    queries[heavy] *= 2
    queries[heavy] = np.abs(queries[heavy].max()) + 1
    assert_ranked(queries, corpus, 7, block_rows=50)
    assert found(corpus, 3, block_rows=50) == above(corpus, 3)


def test_pairs_beyond_float32_are_infinite() -> None:
    vectors = spread(60, 4)
    vectors[[3, 50]] = LARGEST
    infinite = {pair: score for pair, score in above(vectors, 0).items() if score == np.inf}
    assert (3, 50) in infinite
    assert found(vectors, np.inf, block_rows=16) == infinite
    assert found(vectors, 1e39, block_rows=16) == infinite
    assert len(found(vectors, -np.inf, block_rows=16)) == 60 * 59 / 2


# --- pairs_above ---


@given(
    st.integers(0, 60), st.integers(1, 5), seeds, st.sampled_from([-2.0, 0.0, 1.0, 4.0, 9.0]),
    st.integers(1, 70),
)  # fmt: skip
def test_pairs_above_are_the_upper_triangle(
    rows: int, columns: int, seed: int, threshold: float, block_rows: int
) -> None:
    vectors = whole(rows, columns, seed)
    assert found(vectors, threshold, block_rows=block_rows) == above(vectors, threshold)


@given(columns=st.integers(16, 400), seed=seeds, block_rows=st.integers(90, 250))
def test_equal_unit_vectors_reach_their_score(columns: int, seed: int, block_rows: int) -> None:
    # In float32 the product of a unit vector with itself is often just below 1.
    vectors = similarity.unit(spread(200, columns, seed))
    copies = np.random.default_rng(seed).choice(200, 10, replace=False)
    vectors[copies[5:]] = vectors[copies[:5]]
    pairs = above(vectors, 0.9999)
    assert len(pairs) == 5
    least, most = min(pairs.values()), max(pairs.values())
    assert found(vectors, least, block_rows=block_rows) == pairs
    assert found(vectors, float(np.nextafter(np.float32(most), 2)), block_rows=block_rows) == {}


@pytest.mark.parametrize(
    ("threshold", "least", "most"), [(2.5, 1, 50), (0.5, 30_000, 60_000), (-9.0, 179_700, 179_700)]
)
def test_few_pairs_and_many(threshold: float, least: int, most: int) -> None:
    vectors = similarity.unit(spread(600, 30)) * 2
    pairs = found(vectors, threshold, block_rows=250)
    assert least <= len(pairs) <= most
    assert pairs == above(vectors, threshold)


def test_tiny_vectors_reach_their_score() -> None:
    vectors = np.full((300, 40), 1e-22, dtype=np.float32)  # products of a few units of the least float32
    score = float(similarity.pairwise(vectors[:1], vectors[:1], Metric.DOT)[0])
    assert 0 < score < 1e-42
    assert len(found(vectors, score)) == 300 * 299 / 2


def test_a_threshold_is_a_number() -> None:
    with pytest.raises(InputError, match="not a number"):
        list(similarity.pairs_above(spread(9, 5), np.nan))
    assert found(spread(0, 5), 0.5) == {}


# --- corpora on disk ---

WITHIN_LIMIT = """
import resource, sys
import numpy as np
from simil import similarity

path, room = sys.argv[1], int(sys.argv[2])
table = np.load(path, mmap_mode="r")
assert isinstance(table, np.memmap)
queries = np.array(table[[5, 800]])
warm = np.ones((1024, 1024), np.float32)
warm @ warm  # BLAS takes memory of its own and starts its threads
with open("/proc/self/status") as status:
    used = next(int(line.split()[1]) << 10 for line in status if line.startswith("VmData"))
resource.setrlimit(resource.RLIMIT_DATA, (used + room, resource.getrlimit(resource.RLIMIT_DATA)[1]))
try:
    np.ones(table.shape, table.dtype)
except MemoryError:
    pass
else:
    sys.exit("there is no limit")
for asked in (1, 2):
    print(similarity.top_k(queries[:asked], table, 2, block_rows=100)[1].tolist())
for i, j, scores in similarity.pairs_above(table, 370, block_rows=50):
    print(i.tolist(), j.tolist())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the limit on memory is Linux's")
@pytest.mark.parametrize(("dtype", "fortran"), [("f4", False), ("f4", True), ("f2", False)])
def test_a_table_larger_than_memory(dtype: str, fortran: bool, tmp_path: Path) -> None:
    path = tmp_path / "table.npy"
    table = np.lib.format.open_memmap(path, "w+", np.dtype(dtype), (1000, 20_000), fortran_order=fortran)
    lines = table.T if fortran else table
    rng = np.random.default_rng(0)
    for start in range(0, len(lines), 100):
        lines[start : start + 100] = rng.random((100, lines.shape[1]), np.float32) / 4
    # A row scores 417 with itself and 312 with any other, by chance a few more or less.
    table[[500, 950]] = table[[5, 800]]
    table.flush()
    room = table.nbytes * 3 // 4
    del table, lines

    command = [sys.executable, "-c", WITHIN_LIMIT, str(path), str(room)]
    # Threads that wait for each other do so for long on a busy machine.
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    path.unlink()
    assert result.stderr == ""
    assert result.stdout.splitlines() == [
        "[[5, 500]]",
        "[[5, 500], [800, 950]]",
        "[5] [500]",
        "[800] [950]",
    ]

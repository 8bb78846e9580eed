"""Nearest neighbours among copies: the same scores as without looking for copies, the lowest rows first."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from simil import similarity
from simil.similarity.search_among_copies import top_k_among_copies


def rows_with_copies(count: int, different: int, seed: int) -> NDArray[np.float32]:
    random = np.random.default_rng(seed)
    kinds = similarity.unit(random.normal(size=(different, 8)).astype(np.float32))
    return kinds[random.integers(0, different, count)]


@pytest.mark.parametrize(
    ("queries", "corpus"),
    [
        (rows_with_copies(1100, 40, 1), rows_with_copies(1200, 60, 2)),
        (rows_with_copies(1100, 1100, 3), rows_with_copies(1200, 5, 4)),  # fewer groups than neighbours
        (rows_with_copies(1100, 5, 5), rows_with_copies(1200, 9000, 6)),
        (rows_with_copies(1100, 9000, 7), rows_with_copies(1200, 9000, 8)),
    ],
)
@pytest.mark.parametrize("k", [1, 11])
def test_the_nearest_are_those_of_a_product(
    queries: NDArray[np.float32], corpus: NDArray[np.float32], k: int
) -> None:
    scores, rows = top_k_among_copies(queries, corpus, k)
    # As `top_k` computes a score: in float64, and rounded.
    products = (queries.astype(np.float64) @ corpus.T.astype(np.float64)).astype(np.float32)
    expected = np.lexsort((np.broadcast_to(np.arange(len(corpus)), products.shape), -products))[:, :k]

    assert scores == pytest.approx(np.take_along_axis(products, expected, 1), abs=1e-6)
    assert (np.take_along_axis(products, rows, 1) == np.take_along_axis(products, expected, 1)).mean() > 0.999
    assert (np.diff(rows)[np.diff(scores) == 0] > 0).all()
    assert (np.diff(np.sort(rows)) > 0).all()


def test_the_nearest_of_one_array_to_itself() -> None:
    rows = rows_with_copies(1100, 300, 9)
    scores, nearest = top_k_among_copies(rows, rows, 1)

    assert (nearest[:, 0] == similarity.first_equal(rows)).all()
    assert scores[:, 0] == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("k", [0, -1, 100])
def test_any_number_of_neighbours(k: int) -> None:
    rows = rows_with_copies(1100, 20, 10)
    ours, theirs = top_k_among_copies(rows, rows, k), similarity.top_k(rows, rows, k)

    assert ours[0].shape == ours[1].shape == theirs[0].shape
    assert ours[0] == pytest.approx(theirs[0], abs=1e-6)

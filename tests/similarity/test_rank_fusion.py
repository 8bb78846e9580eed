"""Reciprocal rank fusion, against its formula written out row by row."""

from __future__ import annotations

import numpy as np
import pytest

from simil.similarity.rank_fusion import fuse, ranks_in


def test_the_score_is_the_sum_of_reciprocal_ranks() -> None:
    generator = np.random.default_rng(3)
    rankings = [generator.permutation(40)[:size] for size in (25, 10, 1)]
    expected = {
        row: sum(1 / (60 + ranking.tolist().index(row) + 1) for ranking in rankings if row in ranking)
        for row in {*np.concatenate(rankings).tolist()}
    }

    rows, scores = fuse(rankings)

    assert scores.tolist() == pytest.approx(sorted(expected.values(), reverse=True))
    assert [expected[row] for row in rows.tolist()] == pytest.approx(scores.tolist())


def test_ties_go_to_the_first_ranking() -> None:
    first, second = np.array([7, 5]), np.array([9, 3])

    assert fuse([first, second])[0].tolist() == [7, 9, 5, 3]
    assert fuse([second, first])[0].tolist() == [9, 7, 3, 5]


def test_an_empty_ranking_changes_no_order() -> None:
    rows, scores = fuse([np.empty(0, np.int64), np.array([4, 2, 8])])

    assert rows.tolist() == [4, 2, 8]
    assert scores.tolist() == [1 / 61, 1 / 62, 1 / 63]
    assert fuse([])[0].tolist() == []


def test_ranks_are_from_one_and_zero_for_what_is_not_there() -> None:
    assert ranks_in(np.array([4, 2, 8]), np.array([2, 3, 4, 8])).tolist() == [2, 0, 1, 3]
    assert ranks_in(np.empty(0, np.int64), np.array([2])).tolist() == [0]

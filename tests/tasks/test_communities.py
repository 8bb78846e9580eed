"""Communities, held against `community_detection` of sentence-transformers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from simil import similarity
from simil.tasks.communities import communities


def _directions(seed: int, count: int, dimensions: int, topics: int) -> NDArray[np.float32]:
    """Unit vectors around some centres, as those of real texts lie."""
    random = np.random.default_rng(seed)
    centres = random.standard_normal((topics, dimensions))
    # Groups of very different sizes, and noise of different strength.
    of = np.minimum(random.geometric(0.15, count) - 1, topics - 1)
    noise = random.standard_normal((count, dimensions)) * random.uniform(0.3, 1.5, (count, 1))
    return similarity.unit(centres[of] + noise)


def _clear(vectors: NDArray[np.float32], threshold: float) -> float:
    """A threshold near this one that is farthest from any pair's score, so that rounding decides nothing."""
    i, j = np.triu_indices(len(vectors), 1)
    scores = (vectors.astype(np.float64) @ vectors.T.astype(np.float64))[i, j]
    near = scores[(scores > threshold - 5e-3) & (scores < threshold + 5e-3)]
    ends = np.sort(np.concatenate([[threshold - 5e-3], near, [threshold + 5e-3]]))
    widest = int(np.diff(ends).argmax())
    return float(ends[widest] + ends[widest + 1]) / 2


def _same(vectors: NDArray[np.float32], threshold: float, size: int, pairs_at_once: int = 1 << 22) -> int:
    from sentence_transformers.util import community_detection

    found = communities(vectors, threshold, size, pairs_at_once=pairs_at_once)
    expected = community_detection(vectors, threshold=threshold, min_community_size=size)

    assert [group[0] for group in found] == [group[0] for group in expected]
    assert [sorted(group.tolist()) for group in found] == [sorted(group) for group in expected]
    for group, other in zip(found, expected, strict=True):
        scores = vectors[group[1:]] @ vectors[group[0]]
        np.testing.assert_allclose(scores, vectors[other[1:]] @ vectors[other[0]], atol=1e-6)
    return len(found)


@pytest.mark.parametrize(("threshold", "size"), [(0.3, 10), (0.5, 5), (0.6, 2), (0.7, 1), (0.95, 3)])
def test_they_are_those_of_sentence_transformers(threshold: float, size: int) -> None:
    vectors = _directions(1, 5000, 64, 60)

    assert _same(vectors, _clear(vectors, threshold), size) > 1 or threshold == 0.95


def test_all_are_one_where_everything_is_near() -> None:
    assert _same(_directions(4, 700, 8, 6), -1, 10) == 1


@given(
    st.integers(0, 10**6), st.integers(1, 90), st.floats(-0.2, 0.9), st.integers(1, 8), st.integers(1, 300)
)
def test_however_many_and_however_they_are_taken(
    seed: int, count: int, threshold: float, size: int, pairs: int
) -> None:
    vectors = _directions(seed, count, 8, 6)

    _same(vectors, _clear(vectors, threshold), size, pairs)


def test_no_row_is_in_two_and_each_is_near_its_centre() -> None:
    vectors = _directions(2, 2000, 32, 20)
    found = communities(vectors, 0.6, 4)

    rows = np.concatenate(found)
    assert len(np.unique(rows)) == len(rows)
    assert all((vectors[group] @ vectors[group[0]] >= 0.6 - 1e-6).all() for group in found)
    assert [len(group) for group in found] == sorted(map(len, found), reverse=True)


def test_copies_are_one_at_a_threshold_of_1() -> None:
    vectors = similarity.unit(np.repeat(np.eye(3) + 0.1, [4, 2, 1], axis=0))

    assert [group.tolist() for group in communities(vectors, 1, 2)] == [[0, 1, 2, 3], [4, 5]]


def test_fewer_rows_than_a_group_has() -> None:
    assert communities(_directions(3, 4, 8, 1), -1, 5) == []
    assert communities(np.empty((0, 8), np.float32), 0, 1) == []


def test_of_real_texts(docstring_vectors: NDArray[np.float32]) -> None:
    assert _same(docstring_vectors, _clear(docstring_vectors, 0.75), 5) > 50


@pytest.mark.parametrize(("threshold", "size"), [(0.5, 3), (0.8, 12), (1.0, 4)])
def test_copies_count_as_often_as_they_are_there(threshold: float, size: int) -> None:
    from sentence_transformers.util import community_detection

    kinds = _directions(5, 400, 16, 20)
    threshold = _clear(kinds, threshold) if threshold < 1 else threshold
    vectors = kinds[np.random.default_rng(5).geometric(0.01, 3000) % len(kinds)]
    found = communities(vectors, threshold, size)
    expected = community_detection(vectors, threshold=min(threshold, 1 - 1e-6), min_community_size=size)

    assert len(found) > 5
    assert [sorted(group.tolist()) for group in found] == [sorted(group) for group in expected]
    for group in found:
        scores = vectors[group] @ vectors[group[0]]
        assert (np.diff(scores) < 1e-6).all()
        copies = (vectors[group] == vectors[group[0]]).all(axis=1)
        assert group[copies].tolist() == sorted(np.flatnonzero((vectors == vectors[group[0]]).all(axis=1)))

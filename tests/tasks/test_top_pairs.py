"""The most similar pairs are those of the whole matrix, in its order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from simil.similarity import Metric
from simil.tasks import top_pairs as module
from simil.tasks.comparison import Comparison
from simil.tasks.pair_scoring import CrossComparison
from simil.tasks.top_pairs import top_pairs

COUNTS = st.integers(1, 40)


@given(
    vectors=arrays(np.float32, st.tuples(st.integers(2, 9), st.just(2)), elements=st.sampled_from([0, 1, 2])),
    count=COUNTS,
    metric=st.sampled_from([Metric.DOT, Metric.EUCLIDEAN]),
)
def test_of_items_with_vectors(vectors: np.ndarray, count: int, metric: Metric) -> None:
    names = [str(number) for number in range(len(vectors))]
    compared = Comparison(names, names, 0.0, 2, lambda: vectors, metric, None)
    sign = 1 if metric.is_distance else -1
    expected = sorted(compared.pairs(), key=lambda pair: sign * pair[2])[:count]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_WAITING", 3)
        found = top_pairs(compared, count)
    assert [*zip(found.first, found.second, found.scores, strict=True)] == expected


@given(scores=arrays(np.float32, (5, 5), elements=st.sampled_from([0, 1, np.nan])), count=COUNTS)
def test_a_cross_encoder_has_two_scores_for_two_items_and_none_for_a_refused_pair(
    scores: np.ndarray, count: int
) -> None:
    names = [*"abcde"]
    compared = CrossComparison(names, names, scores[0, 1:2], scores, "m")
    known = [pair for pair in compared.pairs() if not np.isnan(pair[2])]
    found = top_pairs(compared, count)
    expected = sorted(known, key=lambda pair: -pair[2])[:count]
    assert [*zip(found.first, found.second, found.scores, strict=True)] == expected
    two = CrossComparison(names[:2], names[:2], scores[0, 1:2], None, "m")
    assert len(top_pairs(two, count)) == (not np.isnan(scores[0, 1]))

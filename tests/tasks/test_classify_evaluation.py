"""Accuracy, F1 and confusion against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, precision_recall_fscore_support

from simil.tasks.evaluation.classification_report import evaluate

_LABELS = st.sampled_from(["a", "b", "Z", "unknown", "ä"])
_PAIRS = st.lists(st.tuples(_LABELS, _LABELS), min_size=1, max_size=60)


@given(_PAIRS)
def test_the_numbers_are_those_of_scikit_learn(pairs: list[tuple[str, str]]) -> None:
    truth, predicted = map(list, zip(*pairs, strict=True))

    found = evaluate(truth, predicted)

    names = sorted({*truth, *predicted})
    expected = precision_recall_fscore_support(truth, predicted, labels=names, zero_division=0)
    assert list(found.names) == [one.label for one in found.labels] == names
    for ours, theirs in zip(("precision", "recall", "f1", "support"), expected, strict=True):
        assert [getattr(one, ours) for one in found.labels] == pytest.approx(list(theirs), abs=1e-6)
    if len(names) > 1:  # It warns of one.
        np.testing.assert_array_equal(found.confusion, confusion_matrix(truth, predicted, labels=names))
    assert found.accuracy == pytest.approx(accuracy_score(truth, predicted), abs=1e-6)
    assert found.macro_f1 == pytest.approx(
        f1_score(truth, predicted, average="macro", zero_division=0), abs=1e-6
    )
    assert found.count == len(pairs)


@given(_PAIRS)
def test_no_answer_is_wrong_but_no_label(pairs: list[tuple[str, str]]) -> None:
    truth, predicted = map(list, zip(*pairs, strict=True))

    found = evaluate(truth, predicted, abstained="unknown")

    scored = sorted({*truth, *predicted} - ({"unknown"} - set(truth)))
    assert sorted(one.label for one in found.labels) == scored
    assert found.accuracy == pytest.approx(accuracy_score(truth, predicted), abs=1e-6)
    expected = f1_score(truth, predicted, labels=scored, average="macro", zero_division=0) if scored else 0
    assert found.macro_f1 == pytest.approx(expected, abs=1e-6)
    if "unknown" in found.names:
        assert found.names[-1] == "unknown"

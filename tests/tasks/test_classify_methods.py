"""Each method against scikit-learn, and the choice among them against its cross-validation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.model_selection import PredefinedSplit, cross_val_score
from sklearn.neighbors import KNeighborsClassifier

from simil import similarity
from simil.tasks.classifiers import ClassificationMethod, assign_folds, choose_method, class_scores


@pytest.fixture(scope="module")
def digits() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Pictures of ten digits, as vectors of length 1: some 500 of them."""
    pictures, classes = load_digits(return_X_y=True)
    return similarity.unit(pictures[:500] - 8), classes[:500].astype(np.int64)


def _cosine_weights(distances: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.maximum(1 - distances, 0)


def _neighbours(k: int) -> KNeighborsClassifier:
    return KNeighborsClassifier(k, metric="cosine", weights=_cosine_weights, algorithm="brute")


def test_centroid_scores_are_cosines_to_the_means(digits: tuple[NDArray, NDArray]) -> None:
    vectors, classes = digits

    scores = class_scores(ClassificationMethod.CENTROID, vectors[:300], classes[:300], 10, vectors[300:])

    means = np.stack([vectors[:300][classes[:300] == one].astype(float).mean(axis=0) for one in range(10)])
    np.testing.assert_allclose(scores, cosine_similarity(vectors[300:], means), atol=1e-5)


@pytest.mark.parametrize("k", [1, 5, 12])
def test_votes_are_those_of_scikit_learn(digits: tuple[NDArray, NDArray], k: int) -> None:
    vectors, classes = digits

    scores = class_scores(ClassificationMethod.KNN, vectors[:300], classes[:300], 10, vectors[300:], k)

    expected = _neighbours(k).fit(vectors[:300], classes[:300]).predict_proba(vectors[300:])
    np.testing.assert_allclose(scores, expected, atol=1e-5)


def test_probabilities_are_those_of_scikit_learn(digits: tuple[NDArray, NDArray]) -> None:
    vectors, classes = digits

    scores = class_scores(ClassificationMethod.LOGISTIC, vectors[:300], classes[:300], 10, vectors[300:])

    model = LogisticRegression(C=10, max_iter=1000).fit(vectors[:300].astype(float), classes[:300])
    np.testing.assert_allclose(scores, model.predict_proba(vectors[300:].astype(float)), atol=1e-5)


def test_the_choice_is_that_of_cross_validation(digits: tuple[NDArray, NDArray]) -> None:
    vectors, classes = digits

    chosen = choose_method(vectors, classes, 10)

    split = PredefinedSplit(assign_folds(classes))
    assert chosen.folds == split.get_n_splits() == 5
    assert chosen.held_out == 500
    for method, model in (
        (ClassificationMethod.KNN, _neighbours(5)),
        (ClassificationMethod.LOGISTIC, LogisticRegression(C=10, max_iter=1000)),
    ):
        expected = cross_val_score(model, vectors.astype(float), classes, cv=split).mean()
        assert chosen.accuracies[method] == pytest.approx(expected, abs=1e-9)
    assert chosen.method == max(chosen.accuracies, key=lambda method: chosen.accuracies[method])
    assert choose_method(vectors, classes, 10) == chosen


def test_few_examples_are_left_out_one_at_a_time(digits: tuple[NDArray, NDArray]) -> None:
    vectors, classes = digits

    chosen = choose_method(vectors[:30], classes[:30], 10)

    split = PredefinedSplit(np.arange(30))
    expected = cross_val_score(_neighbours(5), vectors[:30], classes[:30], cv=split).mean()
    assert (chosen.folds, chosen.held_out) == (30, 30)
    assert chosen.accuracies[ClassificationMethod.KNN] == pytest.approx(expected)


def test_of_equal_methods_the_simplest_is_chosen() -> None:
    vectors = similarity.unit(np.array([[1, 0.1], [1, 0], [0, 1], [0.1, 1]]))

    chosen = choose_method(vectors, np.array([0, 0, 1, 1]), 2)

    assert set(chosen.accuracies.values()) == {1.0}
    assert chosen.method is ClassificationMethod.CENTROID


def test_where_nothing_can_be_held_out_it_is_the_centroid() -> None:
    chosen = choose_method(similarity.unit(np.eye(3)), np.arange(3), 3)

    assert (chosen.method, chosen.folds, chosen.accuracies) == (ClassificationMethod.CENTROID, 0, {})


def test_examples_that_cancel_each_other_are_near_to_nothing() -> None:
    examples = np.array([[1, 0], [-1, 0], [0, 1]], np.float32)

    scores = class_scores(ClassificationMethod.CENTROID, examples, np.array([0, 0, 1]), 2, examples)

    np.testing.assert_array_equal(scores, [[0, 0], [0, 0], [0, 1]])


def test_votes_of_the_unlike_are_equal() -> None:
    examples = np.array([[1, 0], [0.8, 0.6]], np.float32)

    scores = class_scores(ClassificationMethod.KNN, examples, np.array([0, 1]), 2, -examples[:1])

    np.testing.assert_array_equal(scores, [[0.5, 0.5]])


@given(st.lists(st.integers(0, 6), min_size=1, max_size=120))
def test_every_class_is_spread_over_the_folds(given_classes: list[int]) -> None:
    classes = np.array(given_classes)

    parts = assign_folds(classes)

    held_out = parts >= 0
    counts = np.bincount(classes)
    np.testing.assert_array_equal(held_out, counts[classes] > 1)
    if not held_out.any():
        return
    many = held_out.sum()
    assert parts.max() + 1 == (many if many <= 50 else 5)
    for one in np.unique(classes[held_out]):
        in_parts = np.bincount(parts[classes == one], minlength=parts.max() + 1)
        assert in_parts.max() - in_parts.min() <= 1
        assert in_parts.max() < counts[one]  # There is one to learn from, whichever part is held out.

"""Labels by descriptions and by examples: verdicts, thresholds, what cannot be done."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics.pairwise import cosine_similarity

from simil import similarity
from simil.errors import InputError, Place
from simil.tasks.classification import UNKNOWN, Classification, classify_by_descriptions, classify_by_examples
from simil.tasks.classifiers import ClassificationMethod
from simil.tasks.corpus import Corpus
from simil.texts import Text


def _corpus(vectors: NDArray[np.floating]) -> Corpus:
    texts = [Text(str(row), f"text {row}", Place("memory", row), {}) for row in range(len(vectors))]
    return Corpus(texts, similarity.unit(vectors), "m@1")


def _random(rows: int, columns: int, seed: int) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(size=(rows, columns))


def test_the_nearest_description_of_a_label_counts() -> None:
    texts, descriptions = _random(40, 8, 1), _random(6, 8, 2)
    owners = ["b", "a", "b", "c", "a", "b"]

    found = classify_by_descriptions(_corpus(texts), _corpus(descriptions), owners)

    cosines = cosine_similarity(texts, descriptions)
    expected = np.stack([cosines[:, [o == label for o in owners]].max(axis=1) for label in "bac"], axis=1)
    assert found.labels == ["b", "a", "c"]
    np.testing.assert_allclose(found.scores, expected, atol=1e-6)
    assert [one.label for one in found.best()] == ["bac"[best] for best in expected.argmax(axis=1)]


def test_a_margin_is_the_distance_to_the_next_label() -> None:
    found = Classification(["a", "b", "c"], np.array([[0.2, 0.9, 0.5]], np.float32), "zero-shot")

    (verdicts,) = found.ranked(5)

    assert [one.label for one in verdicts] == ["b", "c", "a"]
    assert [one.score for one in verdicts] == pytest.approx([0.9, 0.5, 0.2])
    assert [one.margin for one in verdicts[:2]] == pytest.approx([0.4, 0.3])
    assert verdicts[2].margin is None


def test_equal_scores_go_by_the_order_of_labels() -> None:
    found = Classification(["b", "a"], np.array([[0.5, 0.5]], np.float32), "zero-shot")

    assert found.best()[0].label == "b"
    assert found.best()[0].margin == 0


def test_below_the_threshold_a_label_is_unknown_and_at_it_not() -> None:
    scores = np.array([[0.1, 0.3], [0.7, 0.3], [0.29, 0.2]], np.float32)

    found = Classification(["a", "b"], scores, "zero-shot", threshold=0.3)

    names = [[one.label for one in verdicts] for verdicts in found.ranked(2)]
    assert names == [["b"], ["a", "b"], [UNKNOWN]]
    assert found.best()[2].score == np.float32(0.29)
    assert found.any_known()
    assert not Classification(["a", "b"], scores, "zero-shot", threshold=0.8).any_known()


def test_no_texts_get_no_verdicts() -> None:
    nothing = Corpus([], np.empty((0, 0), np.float32), None)

    found = classify_by_descriptions(nothing, _corpus(_random(2, 3, 1)), ["a", "b"])
    by_examples = classify_by_examples(nothing, _corpus(_random(4, 3, 1)), ["a", "b", "a", "b"])

    assert found.best() == by_examples.best() == []
    assert not found.any_known()


def test_the_method_is_chosen_where_none_is_named() -> None:
    far = np.array([6, 0, 0, 0])
    vectors = np.concatenate([_random(20, 4, 1) + far, _random(20, 4, 2) - far])
    owners = ["right"] * 20 + ["left"] * 20

    found = classify_by_examples(_corpus(vectors), _corpus(vectors), owners)

    assert found.choice is not None
    assert found.method == found.choice.method
    assert found.labels == ["left", "right"]
    assert [one.label for one in found.best()] == owners


def test_one_label_is_enough_for_the_centroid_with_a_threshold() -> None:
    examples = _corpus(_random(3, 4, 1))

    found = classify_by_examples(examples, examples, ["a"] * 3, threshold=-1)

    assert {one.label for one in found.best()} == {"a"}
    for method, threshold in (
        (None, None),
        (ClassificationMethod.KNN, 0.5),
        (ClassificationMethod.LOGISTIC, 0.5),
    ):
        with pytest.raises(InputError, match="all examples have the label 'a'"):
            classify_by_examples(examples, examples, ["a"] * 3, method=method, threshold=threshold)


def test_without_examples_there_is_no_answer() -> None:
    with pytest.raises(InputError, match="there are no examples"):
        classify_by_examples(_corpus(_random(1, 3, 1)), Corpus([], np.empty((0, 3), np.float32), None), [])

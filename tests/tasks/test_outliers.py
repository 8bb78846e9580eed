"""Outliers: scores as scikit-learn gives them, which are shown, and what is real data's strangest."""

from __future__ import annotations

from math import ceil
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import LocalOutlierFactor, NearestNeighbors

import simil
from simil import similarity
from simil.errors import InputError, Place
from simil.tasks.corpus import Corpus
from simil.tasks.outlier_detection import OutlierMethod, outliers, top_outliers
from simil.texts import Text
from tasks.conftest import corpus_of

K = 10
STRANGERS = [
    "The cat sat quietly on the warm windowsill",
    "Je voudrais deux croissants et un café",
    "Grandmother's apple pie won first prize at the fair",
]


def corpus(vectors: NDArray[np.float32]) -> Corpus:
    texts = [Text(str(row), f"text {row}", Place("in", row), {}) for row in range(1, len(vectors) + 1)]
    return Corpus(texts, similarity.unit(vectors), "letters@1")


def clustered(count: int, seed: int = 0) -> NDArray[np.float32]:
    random = np.random.default_rng(seed)
    centres = random.normal(size=(40, 64))
    return (centres[random.integers(0, 40, count)] + random.normal(size=(count, 64))).astype(np.float32)


@pytest.fixture(scope="module")
def many(docstring_corpus: Corpus) -> Corpus:
    return docstring_corpus


@pytest.fixture(scope="module")
def normal(many: Corpus) -> Corpus:
    return Corpus(many.texts[::3], many.vectors[::3], many.model)


def lof(**options: Any) -> LocalOutlierFactor:
    return LocalOutlierFactor(n_neighbors=20, metric="euclidean", **options)


def test_knn_is_what_scikit_learn_finds(many: Corpus) -> None:
    found = outliers(many, k=K)
    distances, rows = NearestNeighbors(n_neighbors=K, metric="cosine").fit(many.vectors).kneighbors()

    assert found.scores == pytest.approx(distances.mean(axis=1), abs=1e-6)
    # Which of equal texts is named is left to chance there.
    assert (found.nearest == rows[:, 0]).mean() > 0.9
    assert found.similarities == pytest.approx(1 - distances[:, 0], abs=1e-6)
    assert found.k == K


def test_knn_by_a_reference_is_what_scikit_learn_finds(many: Corpus, normal: Corpus) -> None:
    found = outliers(many, normal, k=3)
    neighbours = NearestNeighbors(n_neighbors=3, metric="cosine").fit(normal.vectors)
    distances, _ = neighbours.kneighbors(many.vectors)

    assert found.scores == pytest.approx(distances.mean(axis=1), abs=1e-6)
    assert (found.scores[::3] < 1e-6).mean() < 1  # Three count, and not only the text itself.


def test_lof_is_that_of_scikit_learn(many: Corpus, normal: Corpus) -> None:
    alone = lof().fit(many.vectors)
    beside = lof(novelty=True).fit(normal.vectors)

    found = outliers(many, method=OutlierMethod.LOF, k=20)
    assert found.scores == pytest.approx(-alone.negative_outlier_factor_, rel=1e-6)
    novel = outliers(many, normal, method=OutlierMethod.LOF, k=20)
    assert novel.scores == pytest.approx(-beside.score_samples(many.vectors), rel=1e-6)
    assert novel.nearest.tolist() == outliers(many, normal, k=1).nearest.tolist()


def test_the_forest_is_that_of_scikit_learn(many: Corpus, normal: Corpus) -> None:
    for reference in (None, normal):
        fitted = IsolationForest(random_state=0).fit((reference or many).vectors)
        found = outliers(many, reference, method=OutlierMethod.FOREST)

        assert found.scores == pytest.approx(-fitted.score_samples(many.vectors), rel=1e-6)
        assert found.k is None


@pytest.mark.parametrize("share", [0.001, 0.07, 0.1, 0.5])
def test_a_share_is_what_scikit_learn_calls_outliers(many: Corpus, share: float) -> None:
    some = Corpus(many.texts[:800], many.vectors[:800], many.model)
    labels = lof(contamination=share).fit_predict(some.vectors)
    found = outliers(some, method=OutlierMethod.LOF, k=20)

    assert sorted(top_outliers(found.scores, share=share)) == np.flatnonzero(labels == -1).tolist()


def test_three_sentences_that_do_not_belong_are_the_strangest(docstrings: list[str], many: Corpus) -> None:
    vectors = np.concatenate([many.vectors[:1500], simil.embed(STRANGERS, model="minilm")])
    found = outliers(corpus_of(docstrings[:1500] + STRANGERS, vectors), k=K)

    assert set(top_outliers(found.scores, count=3).tolist()) == {1500, 1501, 1502}


def test_equal_texts_are_not_strange_to_each_other() -> None:
    # More equals than neighbours: none of them may be counted for itself.
    found = outliers(corpus(np.array([[1, 2]] * 6 + [[2, -1]], np.float32)), k=2)

    assert found.scores.tolist() == [0] * 6 + [1]
    assert all(found.nearest != np.arange(7))
    assert found.similarities[:6] == pytest.approx(1)


def test_a_text_of_the_reference_scores_nothing() -> None:
    known = corpus(clustered(300))
    new = Corpus(known.texts[:9], known.vectors[:9], known.model)

    assert outliers(new, known, k=1).scores.tolist() == [0] * 9
    assert outliers(new, known, k=1).nearest.tolist() == [*range(9)]


def test_many_equal_texts_give_lof_no_warning() -> None:
    found = outliers(corpus(np.array([[1, 2]] * 6 + [[2, -1]], np.float32)), method=OutlierMethod.LOF, k=2)

    assert found.scores.argmax() == 6
    assert np.isfinite(found.scores).all()


@pytest.mark.parametrize("method", OutlierMethod)
def test_of_few_texts_all_others_count(method: OutlierMethod) -> None:
    three = corpus(clustered(3))
    assert outliers(three, method=method, k=10).k == (2 if method.has_neighbours else None)
    beside = outliers(three, corpus(clustered(2, seed=3)), method=method, k=10)
    assert beside.k == {OutlierMethod.KNN: 2, OutlierMethod.LOF: 1, OutlierMethod.FOREST: None}[method]


@pytest.mark.parametrize("method", OutlierMethod)
def test_one_text_is_too_few(method: OutlierMethod) -> None:
    one, two = corpus(clustered(1)), corpus(clustered(2))
    for count, what in ((0, "no text"), (1, "only one text")):
        with pytest.raises(InputError, match=f"there is {what}, but outliers need at least two"):
            outliers(corpus(clustered(count)), method=method)
    with pytest.raises(InputError, match="there is no text in the reference"):
        outliers(two, corpus(clustered(0)), method=method)
    if method is OutlierMethod.KNN:
        assert outliers(two, one, method=method).k == 1
    else:
        with pytest.raises(InputError, match="only one text in the reference; give at least two"):
            outliers(two, one, method=method)


@pytest.mark.parametrize("method", OutlierMethod)
def test_nothing_beside_a_reference_is_nothing(method: OutlierMethod) -> None:
    nothing = Corpus([], np.empty((0, 0), np.float32), None)
    found = outliers(nothing, corpus(clustered(4)), method=method)
    assert (len(found.scores), len(found.nearest), len(found.similarities)) == (0, 0, 0)
    assert top_outliers(found.scores, count=10).tolist() == []


scores = st.lists(st.integers(0, 9), min_size=1, max_size=40)


@given(scores, st.integers(1, 50))
def test_the_strangest_come_first_and_equal_ones_in_their_order(values: list[int], count: int) -> None:
    found = top_outliers(np.array(values, np.float32), count=count).tolist()
    assert found == sorted(range(len(values)), key=lambda row: (-values[row], row))[:count]


@given(scores, st.floats(0.01, 0.5))
def test_at_least_one_is_the_strangest_share(values: list[int], share: float) -> None:
    found = top_outliers(np.array(values, np.float32), share=share)
    assert len(found) == max(1, ceil(round(share * (len(values) - 1), 9)))


def test_a_score_reaches_itself() -> None:
    values = np.array([0.1, 0.7, 0.3], np.float32)
    assert top_outliers(values, threshold=0.7).tolist() == [1]
    assert top_outliers(values, threshold=0.71).tolist() == []

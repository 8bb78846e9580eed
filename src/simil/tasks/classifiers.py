"""Classifiers that learn from examples, and the choice among them by cross-validation."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from simil import similarity
from simil.blas import one_thread, use_all_cores

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]
    Classes = NDArray[np.int64]

__all__ = [
    "NEIGHBOURS",
    "ClassificationMethod",
    "MethodChoice",
    "assign_folds",
    "choose_method",
    "class_scores",
    "max_cosine_by_class",
]

NEIGHBOURS = 5
_FOLDS = 5
_LEAVE_ONE_OUT = 50  # up to this many examples, each is held out alone
# Unit vectors have small coordinates: with scikit-learn's C of 1, rare classes are hardly ever predicted.
_C = 10.0
_ITERATIONS = 1000


class ClassificationMethod(StrEnum):
    """How to learn from examples, simplest first; the simplest wins a tie."""

    CENTROID = "centroid"
    KNN = "knn"
    LOGISTIC = "logistic"


@dataclass(frozen=True, slots=True)
class MethodChoice:
    """The method chosen by cross-validation, and the accuracy of each on held-out examples.

    `held_out` is the number of held-out examples; `folds` is 0 if none can be held out.
    """

    method: ClassificationMethod
    accuracies: Mapping[ClassificationMethod, float]
    folds: int
    held_out: int


def class_scores(
    method: ClassificationMethod,
    examples: Vectors,
    classes: Classes,
    count: int,
    vectors: Vectors,
    k: int = NEIGHBOURS,
) -> Vectors:
    """Return the score of each of `count` classes for each of `vectors`, float32 [n, count].

    `classes` [m] are those of `examples` [m, d]; all vectors have length 1. A score is the cosine to the
    centroid of the class, its share of the votes of the `k` nearest examples, weighted by cosine, or its
    probability under logistic regression.
    """
    import numpy as np

    if not len(vectors):
        return np.empty((0, count), np.float32)
    if method is ClassificationMethod.CENTROID:
        return _by_centroid(examples, classes, count, vectors)
    if method is ClassificationMethod.KNN:
        return _by_neighbours(examples, classes, count, vectors, k)
    return _by_regression(examples, classes, count, vectors)


def max_cosine_by_class(vectors: Vectors, references: Vectors, classes: Classes, count: int) -> Vectors:
    """Return the cosine of each vector to the nearest reference of each class, float32 [n, count].

    `classes` [m] are those of `references` [m, d]; each of the `count` classes occurs.
    """
    import numpy as np

    if not len(vectors):
        return np.empty((0, count), np.float32)
    cosines = similarity.matrix(vectors, references)
    order = np.argsort(classes, kind="stable")
    starts = np.searchsorted(classes[order], np.arange(count))
    return np.maximum.reduceat(cosines[:, order], starts, axis=1)


def _by_centroid(examples: Vectors, classes: Classes, count: int, vectors: Vectors) -> Vectors:
    import numpy as np

    sums = np.zeros((count, examples.shape[1]))
    np.add.at(sums, classes, examples)
    use_all_cores(vectors.size * count)
    # Examples that cancel out have a centroid without direction; its cosine to everything is 0.
    scores = vectors @ similarity.unit_or_zero(sums).T
    return np.clip(scores, -1, 1, out=scores)


def _by_neighbours(examples: Vectors, classes: Classes, count: int, vectors: Vectors, k: int) -> Vectors:
    import numpy as np

    cosines, nearest = similarity.top_k(vectors, examples, k)
    weights = np.maximum(cosines.astype(np.float64), 0)
    weights[~weights.any(axis=1)] = 1
    votes = np.zeros((len(vectors), count))
    np.add.at(votes, (np.arange(len(vectors))[:, None], classes[nearest]), weights)
    shares: Vectors = (votes / votes.sum(axis=1, keepdims=True)).astype(np.float32)
    return shares


def _by_regression(examples: Vectors, classes: Classes, count: int, vectors: Vectors) -> Vectors:
    import numpy as np
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    # The products are so small that several threads are many times slower than one.
    with one_thread(), warnings.catch_warnings():
        # The last iterations change only the last digits.
        warnings.simplefilter("ignore", ConvergenceWarning)
        # In float64, the iterations do not depend on how a processor rounds.
        model = LogisticRegression(C=_C, max_iter=_ITERATIONS).fit(examples.astype(np.float64), classes)
    scores = np.zeros((len(vectors), count), np.float32)
    scores[:, model.classes_] = model.predict_proba(vectors)
    return scores


def choose_method(examples: Vectors, classes: Classes, count: int, k: int = NEIGHBOURS) -> MethodChoice:
    """Return the most accurate method by cross-validation, of equals the simplest.

    The folds are those of `assign_folds`. If no class has two examples, nothing can be held out, and the
    choice is the centroid.
    """
    import numpy as np

    parts = assign_folds(classes)
    held_out = int((parts >= 0).sum())
    if not held_out:
        return MethodChoice(ClassificationMethod.CENTROID, {}, 0, 0)
    right = dict.fromkeys(ClassificationMethod, 0)
    for part in range(parts.max() + 1):
        out = parts == part
        for method in ClassificationMethod:
            scores = class_scores(method, examples[~out], classes[~out], count, examples[out], k)
            right[method] += int((scores.argmax(axis=1) == classes[out]).sum())
    accuracies = {method: hits / held_out for method, hits in right.items()}
    best = max(ClassificationMethod, key=lambda method: right[method])
    return MethodChoice(best, accuracies, len(np.unique(parts[parts >= 0])), held_out)


def assign_folds(classes: Classes) -> Classes:
    """Return the fold in which each example is held out, int64 [m]; always the same for the same classes.

    There are five stratified folds, or one per example if there are few. The only example of a class is
    never held out: its fold is -1.
    """
    import numpy as np

    shuffled = np.random.default_rng(0).permutation(len(classes))
    single = np.bincount(classes)[classes] < 2
    order = shuffled[np.argsort(classes[shuffled], kind="stable")]
    order = order[~single[order]]
    parts = np.full(len(classes), -1, np.int64)
    parts[order] = np.arange(len(order)) % (_FOLDS if len(order) > _LEAVE_ONE_OUT else max(len(order), 1))
    return parts

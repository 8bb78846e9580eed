"""Classification: the label of each text, by descriptions of the labels or by labelled examples."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from simil.errors import InputError
from simil.similarity import Metric
from simil.tasks.classifiers import (
    NEIGHBOURS,
    ClassificationMethod,
    MethodChoice,
    choose_method,
    class_scores,
    max_cosine_by_class,
)
from simil.tasks.corpus import Corpus

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "UNKNOWN",
    "ZERO_SHOT",
    "Classification",
    "Prediction",
    "classify_by_descriptions",
    "classify_by_examples",
]

UNKNOWN = "unknown"
ZERO_SHOT = "zero-shot"
_AT_ONCE = 4096


@dataclass(frozen=True, slots=True)
class Prediction:
    """A label for a text, its score, and its margin over the next label; None if there is no next."""

    label: str
    score: np.float32
    margin: np.float32 | None


@dataclass(frozen=True, eq=False, slots=True)
class Classification:
    """The scores of each label for each text, float32 [texts, labels].

    A label below `threshold` is not given. `method` computed the scores; `choice` is how the method was
    chosen, None if it was given.
    """

    labels: Sequence[str]
    scores: NDArray[np.float32]
    method: str
    threshold: float | None = None
    choice: MethodChoice | None = None

    def best(self) -> list[Prediction]:
        """Return a prediction for each text: its best label, or "unknown" below the threshold."""
        return [predictions[0] for predictions in self.ranked(1)]

    def any_known(self) -> bool:
        """Return whether a label of some text reaches the threshold."""
        limit = float("-inf") if self.threshold is None else self.threshold
        return bool(self.scores.size) and Metric.COSINE.reaches(float(self.scores.max()), limit)

    def by_label(self) -> NDArray[np.int64]:
        """Return the rows by their best label, in the order of labels, highest scores first, unknown last."""
        import numpy as np

        best, scores = self.scores.argmax(axis=1), self.scores.max(axis=1)
        limit = -np.inf if self.threshold is None else self.threshold
        return np.lexsort((-scores, best, ~Metric.COSINE.reaches(scores, limit)))

    def at(self, rows: NDArray[np.int64]) -> Classification:
        """Return what holds for some rows, in this order."""
        return replace(self, scores=self.scores[rows])

    def ranked_in_parts(self, top: int) -> Collection[Sequence[Prediction]]:
        """Return what `ranked` does, made anew whenever it is gone through."""
        return _RankedInParts(self, top)

    def ranked(self, top: int) -> list[list[Prediction]]:
        """Return up to `top` predictions for each text, best first, ties in the order of labels.

        Labels below the threshold are left out; if all are, the only prediction is "unknown" with the best
        score.
        """
        import numpy as np

        # One more than asked for: the margin is the lead over the next.
        order = np.argsort(-self.scores, axis=1, kind="stable")[:, : top + 1]
        scores = np.take_along_axis(self.scores, order, axis=1)
        margins = scores[:, :-1] - scores[:, 1:]
        limit = -np.inf if self.threshold is None else self.threshold
        reached = Metric.COSINE.reaches(scores[:, :top], limit)
        found = []
        for row in range(len(order)):
            kept = int(reached[row].sum())
            names = [self.labels[label] for label in order[row, :kept].tolist()] or [UNKNOWN]
            found.append(
                [
                    Prediction(
                        name, scores[row, rank], margins[row, rank] if rank < margins.shape[1] else None
                    )
                    for rank, name in enumerate(names)
                ]
            )
        return found


class _RankedInParts(Collection[Sequence[Prediction]]):
    def __init__(self, found: Classification, top: int) -> None:
        self._found = found
        self._top = top

    def __len__(self) -> int:
        return len(self._found.scores)

    def __contains__(self, predictions: object) -> bool:
        return any(predictions == one for one in self)

    def __iter__(self) -> Iterator[Sequence[Prediction]]:
        for start in range(0, len(self), _AT_ONCE):
            part = replace(self._found, scores=self._found.scores[start : start + _AT_ONCE])
            yield from part.ranked(self._top)


def classify_by_descriptions(
    corpus: Corpus, descriptions: Corpus, described: Sequence[str], *, threshold: float | None = None
) -> Classification:
    """Return the cosine of each text to the nearest description of each label.

    `described` are the labels of the texts of `descriptions`; a label can have several.
    """
    labels = list(dict.fromkeys(described))
    classes = _numbers(described, labels)
    scores = max_cosine_by_class(corpus.vectors, descriptions.vectors, classes, len(labels))
    return Classification(labels, scores, ZERO_SHOT, threshold)


def classify_by_examples(
    corpus: Corpus,
    examples: Corpus,
    example_labels: Sequence[str],
    *,
    method: ClassificationMethod | None = None,
    k: int = NEIGHBOURS,
    threshold: float | None = None,
) -> Classification:
    """Return the scores of labels learnt from `examples`, whose labels are `example_labels`.

    Without a `method`, uses the most accurate one by cross-validation on the examples. Raises `InputError`
    if there are no examples, or if all have the same label, which is enough only for the centroid with a
    threshold.
    """
    labels = sorted(set(example_labels))
    if not labels:
        raise InputError("there are no examples", hint="give some texts with their labels")
    if len(labels) == 1:
        if threshold is None or method not in (None, ClassificationMethod.CENTROID):
            raise InputError(
                f"all examples have the label {labels[0]!r}",
                hint="give examples of another, or --threshold with --method centroid",
            )
        method = ClassificationMethod.CENTROID
    classes = _numbers(example_labels, labels)
    choice = choose_method(examples.vectors, classes, len(labels), k) if method is None else None
    used = choice.method if choice else ClassificationMethod(str(method))
    scores = class_scores(used, examples.vectors, classes, len(labels), corpus.vectors, k)
    return Classification(labels, scores, used, threshold, choice)


def _numbers(names: Sequence[str], labels: Sequence[str]) -> NDArray[np.int64]:
    import numpy as np

    number = {label: place for place, label in enumerate(labels)}
    return np.array([number[name] for name in names], np.int64)

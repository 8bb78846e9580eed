"""Which label suits each text: by descriptions of the labels, or by examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Prediction:
    """A label for a text, its score, and by how much it is better than the next; None where none is."""

    label: str
    score: np.float32
    margin: np.float32 | None


@dataclass(frozen=True, eq=False, slots=True)
class Classification:
    """How well each label suits each text: scores float32 [texts, labels].

    `threshold` is what the score of a label must reach; `method` what the scores are made by, and
    `choice` how that was found where it was left open.
    """

    labels: Sequence[str]
    scores: NDArray[np.float32]
    method: str
    threshold: float | None = None
    choice: MethodChoice | None = None

    def best(self) -> list[Prediction]:
        """Return a verdict for each text: its best label, or "unknown" below the threshold."""
        return [verdicts[0] for verdicts in self.ranked(1)]

    def any_known(self) -> bool:
        """Say whether there is a text with a label that reaches the threshold."""
        limit = float("-inf") if self.threshold is None else self.threshold
        return bool(self.scores.size) and Metric.COSINE.reaches(float(self.scores.max()), limit)

    def ranked(self, top: int) -> list[list[Prediction]]:
        """Return up to `top` verdicts for each text, the best first, equal ones in the order of labels.

        Labels below the threshold are left out; where all are, the one verdict is "unknown" with the
        best score.
        """
        import numpy as np

        # One more than is shown: a margin is the distance to the next.
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


def classify_by_descriptions(
    corpus: Corpus, descriptions: Corpus, owners: Sequence[str], *, threshold: float | None = None
) -> Classification:
    """Give each text the label with the description nearest to it by cosine.

    `owners` are the labels that the texts of `descriptions` stand for; of several that stand for one the
    nearest counts.
    """
    labels = list(dict.fromkeys(owners))
    scores = max_cosine_by_class(corpus.vectors, descriptions.vectors, _numbers(owners, labels), len(labels))
    return Classification(labels, scores, ZERO_SHOT, threshold)


def classify_by_examples(
    corpus: Corpus,
    examples: Corpus,
    owners: Sequence[str],
    *,
    method: ClassificationMethod | None = None,
    k: int = NEIGHBOURS,
    threshold: float | None = None,
) -> Classification:
    """Give each text a label by `examples`, whose labels are `owners`.

    Without a `method` it is that which does best on the examples themselves, held out in turn. Raises
    `InputError` where there are no examples, or all have one label; one is enough for the centroid with
    a threshold.
    """
    labels = sorted(set(owners))
    if not labels:
        raise InputError("there are no examples", hint="give some texts with their labels")
    if len(labels) == 1:
        if threshold is None or method not in (None, ClassificationMethod.CENTROID):
            raise InputError(
                f"all examples have the label {labels[0]!r}",
                hint="give examples of another, or --threshold with --method centroid",
            )
        method = ClassificationMethod.CENTROID
    classes = _numbers(owners, labels)
    choice = choose_method(examples.vectors, classes, len(labels), k) if method is None else None
    used = choice.method if choice else ClassificationMethod(str(method))
    scores = class_scores(used, examples.vectors, classes, len(labels), corpus.vectors, k)
    return Classification(labels, scores, used, threshold, choice)


def _numbers(owners: Sequence[str], labels: Sequence[str]) -> NDArray[np.int64]:
    import numpy as np

    number = {label: place for place, label in enumerate(labels)}
    return np.array([number[owner] for owner in owners], np.int64)

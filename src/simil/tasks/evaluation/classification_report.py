"""How accurate predicted labels are: accuracy, precision, recall, F1 and the confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Evaluation", "LabelScores", "evaluate"]


@dataclass(frozen=True, slots=True)
class LabelScores:
    """Precision, recall and F1 of one label, 0 if undefined; `support` texts have the label."""

    label: str
    precision: np.float32
    recall: np.float32
    f1: np.float32
    support: int


@dataclass(frozen=True, eq=False, slots=True)
class Evaluation:
    """The metrics of predicted labels.

    `confusion` int64 [names, names] counts texts by true label (row) and predicted label (column). `macro_f1`
    is the mean F1 of `labels`: those that are true or predicted for some text, except the label for
    abstaining unless it is true for some text.
    """

    accuracy: np.float32
    macro_f1: np.float32
    labels: Sequence[LabelScores]
    names: Sequence[str]
    confusion: NDArray[np.int64]

    @property
    def count(self) -> int:
        """How many texts were evaluated."""
        return int(self.confusion.sum())


def evaluate(truth: Sequence[str], predicted: Sequence[str], *, abstained: str | None = None) -> Evaluation:
    """Compare predicted labels with true ones, at least one; `abstained` is the label for no answer."""
    import numpy as np

    names = sorted({*truth, *predicted})
    if abstained in names:
        names.remove(abstained)
        names.append(abstained)
    number = {name: place for place, name in enumerate(names)}
    confusion = np.zeros((len(names), len(names)), np.int64)
    np.add.at(confusion, ([number[name] for name in truth], [number[name] for name in predicted]), 1)
    right = confusion.diagonal()
    support, given = confusion.sum(axis=1), confusion.sum(axis=0)
    shares = (right / np.maximum(of, 1) for of in (given, support))
    precision, recall = (share.astype(np.float32) for share in shares)
    f1 = 2 * right / np.maximum(given + support, 1)
    scored = [place for place, name in enumerate(names) if name != abstained or support[place]]
    return Evaluation(
        accuracy=np.float32(right.sum() / len(truth)),
        macro_f1=np.float32(f1[scored].mean()) if scored else np.float32(0),
        labels=[
            LabelScores(
                names[place], precision[place], recall[place], np.float32(f1[place]), int(support[place])
            )
            for place in scored
        ],
        names=names,
        confusion=confusion,
    )

"""What models are put to: judged pairs or queries, and how well the vectors of their texts do on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simil import similarity
from simil.embedders.base import Kind
from simil.tasks.evaluation import metrics as measures
from simil.tasks.evaluation.datasets import LabelledPairs, Retrieval
from simil.tasks.evaluation.metrics import Score

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from simil.texts import Text

__all__ = ["NDCG_AT", "Experiment", "PairsExperiment", "RetrievalExperiment", "Vectors"]

NDCG_AT = 10

Vectors = Mapping[Kind, "NDArray[np.float32]"]


@dataclass(frozen=True, slots=True)
class PairsExperiment:
    """Labelled pairs; `positive_from` is the score from which one counts as alike (`LabelledPairs.alike`)."""

    pairs: LabelledPairs
    positive_from: float | None
    resamples: int

    @property
    def texts(self) -> Mapping[Kind, Sequence[Text]]:
        """What is to be embedded."""
        return {Kind.SYMMETRIC: self.pairs.texts}

    @property
    def facts(self) -> Mapping[str, object]:
        """What it is, for machines."""
        return {"task": "pairs", "pairs": len(self.pairs.scores), "positive_from": self.positive_from}

    @property
    def size(self) -> str:
        """How much there is, for a person."""
        return f"{len(self.pairs.scores):,} pairs"

    def cosines(self, vectors: Vectors) -> NDArray[np.float32]:
        """Return the cosine of each pair, float32 [n]."""
        mine = vectors[Kind.SYMMETRIC]
        return similarity.pairwise(mine[self.pairs.left], mine[self.pairs.right])

    def quality(self, vectors: Vectors) -> Mapping[str, Score]:
        """Return how the cosines of pairs go with what people say of them.

        Correlations; and where it is known which pairs are alike, the average precision, and the best F1 with
        its threshold, precision and recall.
        """
        import numpy as np

        cosines, judged = self.cosines(vectors).astype(np.float64), self.pairs.scores
        quality = {
            "spearman": self._scored(measures.spearman(cosines, judged)),
            "pearson": self._scored(measures.pearson(cosines, judged)),
        }
        alike = self.pairs.alike(self.positive_from)
        if alike is None:
            return quality
        quality["average_precision"] = self._scored(measures.average_precision(cosines, alike))
        quality["f1"] = self._scored(measures.best_f1(cosines, alike))
        cutoff = measures.best_cutoff(cosines, alike)
        for name in ("threshold", "precision", "recall"):
            quality[name] = Score(None if cutoff is None else getattr(cutoff, name))
        return quality

    def _scored(self, measure: measures.Measure) -> Score:
        return measures.scored(measure, len(self.pairs.scores), self.resamples)


@dataclass(frozen=True, slots=True)
class RetrievalExperiment:
    """Queries and documents; `at` says among how many of the nearest the relevant ones are looked for."""

    judged: Retrieval
    at: Sequence[int]
    resamples: int

    @property
    def texts(self) -> Mapping[Kind, Sequence[Text]]:
        """What is to be embedded."""
        return {Kind.QUERY: self.judged.queries, Kind.DOCUMENT: self.judged.documents}

    @property
    def facts(self) -> Mapping[str, object]:
        """What it is, for machines."""
        return {
            "task": "retrieval",
            "queries": len(self.judged.queries),
            "documents": len(self.judged.documents),
        }

    @property
    def size(self) -> str:
        """How much there is, for a person."""
        return f"{len(self.judged.queries):,} queries, {len(self.judged.documents):,} documents"

    def quality(self, vectors: Vectors) -> Mapping[str, Score]:
        """Return how near the top of all documents the relevant ones come: recall at each `at`, and nDCG."""
        import numpy as np

        recalls: dict[int, list[float]] = {k: [] for k in self.at}
        gains: list[float] = []
        for start, block in similarity.matrix_blocks(vectors[Kind.QUERY], vectors[Kind.DOCUMENT]):
            for row, scores in enumerate(block, start):
                relevant = self.judged.relevant[row]
                own = scores[[*relevant]][:, None]
                above, equal = (scores > own).sum(axis=1), (scores == own).sum(axis=1)
                for k, values in recalls.items():
                    values.append(measures.recall(above, equal, k))
                gains.append(measures.ndcg(above, equal, np.array([*relevant.values()]), NDCG_AT))
        named = {f"recall@{k}": values for k, values in recalls.items()} | {f"ndcg@{NDCG_AT}": gains}
        return {
            name: measures.scored(measures.mean(np.array(values)), len(values), self.resamples)
            for name, values in named.items()
        }


Experiment = PairsExperiment | RetrievalExperiment

"""Experiments: a dataset, and the metrics of a model's vectors on it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simil import similarity
from simil.embedders.base import Kind
from simil.tasks.corpus import Corpus
from simil.tasks.evaluation import metrics
from simil.tasks.evaluation.bootstrap import Estimate, estimate
from simil.tasks.evaluation.candidates import Candidates
from simil.tasks.evaluation.datasets import PairsDataset, RetrievalDataset
from simil.tasks.word_retrieval import HYBRID_CANDIDATES, search_hybrid

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from simil.index.word_index import WordIndex
    from simil.tasks.evaluation.bootstrap import Statistic
    from simil.texts import Text

__all__ = ["NDCG_AT", "Experiment", "PairsExperiment", "RetrievalExperiment", "Vectors"]

NDCG_AT = 10
# A rank that no k reaches.
_NOT_FOUND = 2**40
_KINDS = (Kind.QUERY, Kind.DOCUMENT)

Vectors = Mapping[Kind, "NDArray[np.float32]"]


@dataclass(frozen=True, slots=True)
class PairsExperiment:
    """Scored pairs; those that score at least `positive_from` are positive (`PairsDataset.positives`)."""

    dataset: PairsDataset
    positive_from: float | None
    resamples: int

    @property
    def texts(self) -> Mapping[Kind, Sequence[Text]]:
        """The texts to embed, by their kind."""
        return {Kind.SYMMETRIC: self.dataset.texts}

    @property
    def pairs(self) -> Sequence[tuple[int, int]]:
        """The pairs, by the places of their texts."""
        return [*zip(self.dataset.left.tolist(), self.dataset.right.tolist(), strict=True)]

    @property
    def facts(self) -> Mapping[str, object]:
        """What the experiment is, for JSON."""
        return {"task": "pairs", "pairs": len(self.dataset.scores), "positive_from": self.positive_from}

    @property
    def size(self) -> str:
        """The size of the dataset, in words."""
        return f"{len(self.dataset.scores):,} pairs"

    def cosines(self, vectors: Vectors) -> NDArray[np.float32]:
        """Return the cosine of each pair, float32 [n]."""
        mine = vectors[Kind.SYMMETRIC]
        return similarity.pairwise(mine[self.dataset.left], mine[self.dataset.right])

    def evaluate(self, vectors: Vectors) -> Mapping[str, Estimate]:
        """Return the metrics of the pairs' cosines; see `evaluate_scores`."""
        return self.evaluate_scores(self.cosines(vectors))

    def evaluate_scores(self, scores: NDArray[np.float32]) -> Mapping[str, Estimate]:
        """Return the metrics of the pairs' scores [n] by name: the correlations with the gold scores.

        If it is known which pairs are positive, also average precision, and the best F1 with its threshold,
        precision and recall.
        """
        import numpy as np

        given, gold = scores.astype(np.float64), self.dataset.scores
        estimates = {
            "spearman": self._estimate(metrics.spearman(given, gold)),
            "pearson": self._estimate(metrics.pearson(given, gold)),
        }
        positive = self.dataset.positives(self.positive_from)
        if positive is None:
            return estimates
        estimates["average_precision"] = self._estimate(metrics.average_precision(given, positive))
        estimates["f1"] = self._estimate(metrics.best_f1(given, positive))
        best = metrics.best_operating_point(given, positive)
        for name in ("threshold", "precision", "recall"):
            estimates[name] = Estimate(None if best is None else getattr(best, name))
        return estimates

    def _estimate(self, statistic: Statistic) -> Estimate:
        return estimate(statistic, len(self.dataset.scores), self.resamples)


@dataclass(frozen=True, slots=True)
class RetrievalExperiment:
    """Queries and documents; recall is taken at each rank of `recall_at`.

    A cross-encoder, if there is one, orders the `candidates` nearest to each query.
    """

    dataset: RetrievalDataset
    recall_at: Sequence[int]
    resamples: int
    candidates: int | None = None

    @property
    def texts(self) -> Mapping[Kind, Sequence[Text]]:
        """The texts to embed, by their kind."""
        return {Kind.QUERY: self.dataset.queries, Kind.DOCUMENT: self.dataset.documents}

    @property
    def pairs(self) -> None:
        """Nothing: a cross-encoder would have to score each query with each document."""
        return None

    @property
    def texts_of_pairs(self) -> Mapping[Kind, Sequence[Text]]:
        """The texts of `pairs_of`, the queries first."""
        return {Kind.SYMMETRIC: [*self.dataset.queries, *self.dataset.documents]}

    def nearest(self, vectors: Vectors) -> NDArray[np.int64]:
        """Return the candidates of each query by the vectors of a model, int64 [queries, candidates]."""
        return similarity.top_k(vectors[Kind.QUERY], vectors[Kind.DOCUMENT], self.candidates or 0)[1]

    def hybrid(self, vectors: Vectors, words: WordIndex) -> NDArray[np.int64]:
        """Return the documents that `search_hybrid` gives for each query, best first, int64 [queries, n].

        `words` are those of the documents.
        """
        import numpy as np

        queries, documents = (Corpus(self.texts[kind], vectors[kind], None) for kind in _KINDS)
        depth = max(HYBRID_CANDIDATES, *self.recall_at, self.candidates or 0)
        found = search_hybrid(queries, documents, words, top_k=depth)
        return np.stack([result.rows for result in found])

    def candidates_among(self, rankings: Sequence[NDArray[np.int64]]) -> Candidates:
        """Return the first candidates of each of several rankings [queries, n]."""
        firsts = [ranking[:, : self.candidates] for ranking in rankings]
        return Candidates(firsts, len(self.dataset.documents))

    def pairs_of(self, candidates: Candidates) -> Sequence[tuple[int, int]]:
        """Return the pairs of query and candidate, by their places in `texts_of_pairs`."""
        queries = len(self.dataset.queries)
        return [(query, queries + document) for query, document in candidates.pairs]

    @property
    def facts(self) -> Mapping[str, object]:
        """What the experiment is, for JSON."""
        return {
            "task": "retrieval",
            "queries": len(self.dataset.queries),
            "documents": len(self.dataset.documents),
            **({} if self.candidates is None else {"candidates": self.candidates}),
        }

    @property
    def size(self) -> str:
        """The size of the dataset, in words."""
        size = f"{len(self.dataset.queries):,} queries, {len(self.dataset.documents):,} documents"
        return size if self.candidates is None else f"{size}, {self.candidates:,} candidates"

    def evaluate(self, vectors: Vectors, *, first: NDArray[np.int64] | None = None) -> Mapping[str, Estimate]:
        """Return the metrics of ranking all documents by cosine, by name: recall at each rank, and nDCG.

        The documents `first` [queries, n] come before all others, in their order.
        """
        return self._estimates(self._scores(vectors, first))

    def evaluate_words(self, words: WordIndex) -> Mapping[str, Estimate]:
        """Return the metrics, as `evaluate` does, of ranking by BM25; `words` are those of the documents.

        A document that has no word of a query is not found.
        """
        import numpy as np

        found = (words.scores(query.embedded) for query in self.dataset.queries)
        return self._estimates(np.where(scores > 0, scores, -np.inf) for scores in found)

    def _scores(self, vectors: Vectors, first: NDArray[np.int64] | None) -> Iterator[NDArray[np.float32]]:
        """Yield the scores of the documents for each query."""
        import numpy as np

        for start, block in similarity.matrix_blocks(vectors[Kind.QUERY], vectors[Kind.DOCUMENT]):
            for row, scores in enumerate(block, start):
                if first is not None:
                    scores[first[row]] = np.arange(first.shape[1] + 1, 1, -1)  # No cosine reaches 2.
                yield scores

    def _estimates(self, by_query: Iterable[NDArray[np.float32]]) -> Mapping[str, Estimate]:
        """Return the metrics of the scores of all documents for each query; those of -inf are not found."""
        import numpy as np

        recalls: dict[int, list[float]] = {k: [] for k in self.recall_at}
        gains: list[float] = []
        for relevant, scores in zip(self.dataset.qrels, by_query, strict=True):
            own = scores[[*relevant]][:, None]
            above, equal = (scores > own).sum(axis=1), (scores == own).sum(axis=1)
            above[np.isneginf(own[:, 0])] = _NOT_FOUND
            for k, values in recalls.items():
                values.append(metrics.recall(above, equal, k))
            gains.append(metrics.ndcg(above, equal, np.array([*relevant.values()]), NDCG_AT))
        values_by_name = {f"recall@{k}": values for k, values in recalls.items()} | {f"ndcg@{NDCG_AT}": gains}
        return {
            name: estimate(metrics.mean(np.array(values)), len(values), self.resamples)
            for name, values in values_by_name.items()
        }


Experiment = PairsExperiment | RetrievalExperiment

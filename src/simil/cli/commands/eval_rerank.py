"""The part of `simil eval` that measures what words and a reranker bring."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from simil.cli.commands.eval_view import ModelResult
from simil.errors import SimilError
from simil.session.measuring import Cost, Measured, measure
from simil.session.session import Session, beside_embedder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from simil.config import Settings
    from simil.progress import Progress
    from simil.tasks.evaluation.experiments import RetrievalExperiment

__all__ = ["Ranking", "Reranking", "WordRanking"]

log = logging.getLogger("simil")


@dataclass(frozen=True, eq=False, slots=True)
class Ranking:
    """A result, and the documents that stand first for each query by it, int64 [queries, n], best first."""

    result: ModelResult
    rows: NDArray[np.int64]


class WordRanking:
    """Ranks documents by words, and by words beside the vectors of models that were measured."""

    def __init__(self, experiment: RetrievalExperiment, language: str, progress: Progress) -> None:
        """Index the documents; errors as in `index_words`."""
        from simil.tasks.word_retrieval import index_words

        self._experiment = experiment
        self._words = index_words(experiment.dataset.documents, language, progress=progress)

    def alone(self) -> ModelResult:
        """Return the result of BM25, which takes no model and next to no time."""
        measured = Measured("words", "BM25", None, {}, Cost(None, None, None, None, None))
        return ModelResult(measured, self._experiment.evaluate_words(self._words))

    def beside(self, result: ModelResult) -> Ranking:
        """Return the result of a model as `search --hybrid` ranks by it."""
        vectors = result.measured.vectors
        rows = self._experiment.hybrid(vectors, self._words)
        measured = replace(result.measured, name=f"{result.measured.name}, hybrid")
        return Ranking(ModelResult(measured, self._experiment.evaluate(vectors, first=rows)), rows)


class Reranking:
    """Has a cross-encoder order the candidates of models that were measured."""

    def __init__(
        self, name: str, experiment: RetrievalExperiment, settings: Settings, progress: Progress
    ) -> None:
        """Fetch the files of the cross-encoder if need be, before anything is embedded and paid for.

        Errors as in `open_scorer`.
        """
        with Session(settings, progress=progress) as session:
            session.scorer(name)
        self._name, self._experiment = name, experiment
        self._settings = beside_embedder(settings, name)

    def results(self, rankings: Sequence[Ranking], command: Sequence[str]) -> list[ModelResult]:
        """Return for each ranking the result of its candidates as the cross-encoder orders them.

        It scores the candidates of all of them in processes of its own, so that what these take is its own,
        too; `command` is as in `measure`. If it fails, reports why and returns nothing.
        """
        candidates = self._experiment.candidates_among([ranking.rows for ranking in rankings])
        texts, pairs = self._experiment.texts_of_pairs, self._experiment.pairs_of(candidates)
        try:
            scored = measure(self._settings, None, texts, command, pairs=pairs)
        except SimilError as exc:
            log.error("%s: %s", self._name, exc)
            return []
        assert scored.scores is not None  # It is a cross-encoder.
        return [*self._evaluated(rankings, candidates.reranked(scored.scores), scored)]

    def _evaluated(
        self, rankings: Sequence[Ranking], reranked: NDArray[np.int64], scored: Measured
    ) -> Iterator[ModelResult]:
        import numpy as np

        for ranking, rows in zip(rankings, reranked, strict=True):
            measured = ranking.result.measured
            first = np.concatenate([rows, ranking.rows[:, rows.shape[1] :]], axis=1)
            yield ModelResult(
                replace(scored, name=f"{measured.name}, reranked by {self._name}"),
                self._experiment.evaluate(measured.vectors, first=first),
            )

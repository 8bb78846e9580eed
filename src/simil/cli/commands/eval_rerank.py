"""The part of `simil eval` that measures what a reranker brings."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from simil.cli.commands.eval_view import ModelResult
from simil.errors import SimilError
from simil.session.measuring import measure
from simil.session.session import Session, beside_embedder

if TYPE_CHECKING:
    from simil.config import Settings
    from simil.progress import Progress
    from simil.tasks.evaluation.experiments import RetrievalExperiment

__all__ = ["Reranking"]

log = logging.getLogger("simil")


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

    def results(self, results: Sequence[ModelResult], command: Sequence[str]) -> list[ModelResult]:
        """Return for each result that of its candidates as the cross-encoder orders them.

        It scores the candidates of all models in processes of its own, so that what these take is its own,
        too; `command` is as in `measure`. If it fails, reports why and returns nothing.
        """
        candidates = self._experiment.nearest([result.measured.vectors for result in results])
        texts, pairs = self._experiment.texts_of_pairs, self._experiment.pairs_of(candidates)
        try:
            scored = measure(self._settings, None, texts, command, pairs=pairs)
        except SimilError as exc:
            log.error("%s: %s", self._name, exc)
            return []
        assert scored.scores is not None  # It is a cross-encoder.
        return [
            ModelResult(
                replace(scored, name=f"{result.measured.name}, reranked by {self._name}"),
                self._experiment.evaluate(result.measured.vectors, first=rows),
            )
            for result, rows in zip(results, candidates.reranked(scored.scores), strict=True)
        ]

"""`simil eval`: which model does best on these texts, and what does it cost?"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from itertools import chain
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from simil.cli.options import types as opt
from simil.cli.options.declarations import Argument, Option
from simil.cli.options.groups import (
    DatasetFlags,
    EngineFlags,
    ModelFlags,
    RerankFlags,
    RunFlags,
    WordFlags,
    expanded,
)
from simil.cli.output.cells import file_name
from simil.errors import PartlyDone, Place, SimilError, UsageError

if TYPE_CHECKING:
    from simil.cli.commands.eval_rerank import Reranking, WordRanking
    from simil.cli.commands.eval_view import ModelResult
    from simil.config import Settings
    from simil.session.measuring import Measured
    from simil.tasks.evaluation.bootstrap import Estimate
    from simil.tasks.evaluation.datasets import PairsDataset, RetrievalDataset
    from simil.tasks.evaluation.experiments import Experiment

__all__ = ["evaluate"]

log = logging.getLogger("simil")

_RECALL_AT = (1, 5, 10)
_RESAMPLES = 1000


@expanded
def evaluate(
    data: Annotated[
        str | None,
        Argument(
            metavar="DATA",
            help="Labelled pairs, or queries with relevant documents: tsv, csv, json, jsonl; - reads stdin.",
        ),
    ] = None,
    score_field: Annotated[
        str | None,
        Option(
            "--score-field",
            metavar="NAME",
            help="Column or key that holds the score or grade.",
            default="score, label or another usual name",
        ),
    ] = None,
    positive_from: Annotated[
        float | None,
        Option(
            "--positive-from",
            metavar="X",
            help=("Count pairs that score at least X as alike. Not needed if all scores are 0 or 1."),
        ),
    ] = None,
    retrieval: Annotated[
        bool, Option("--retrieval", help="Treat DATA as queries, each with a document that answers it.")
    ] = False,
    queries: Annotated[
        str | None,
        Option("--queries", metavar="FILE", help="Queries that DATA refers to by id."),
    ] = None,
    documents: Annotated[
        str | None,
        Option("--documents", metavar="FILE", help="Documents that DATA refers to by id."),
    ] = None,
    recall_at: Annotated[
        list[int] | None,
        Option(
            "-k",
            "--top-k",
            metavar="N",
            min=1,
            help="Report the recall among the N best results; may be repeated.",
            default="1, 5 and 10",
        ),
    ] = None,
    demo: Annotated[
        bool,
        Option(
            "--demo",
            help=("Measure on the dataset that comes with simil: pairs, or queries with --retrieval."),
        ),
    ] = False,
    save_calibration: Annotated[
        bool,
        Option(
            "--save-calibration",
            help="Learn from the pairs how scores become probabilities, and save that for simil "
            "compare --calibrated.",
        ),
    ] = False,
    calibration: opt.CalibrationFile = None,
    resamples: Annotated[
        int,
        Option(
            "--resamples",
            metavar="N",
            min=0,
            help="Number of resamples for the 95 % confidence intervals; 0 turns them off.",
        ),
    ] = _RESAMPLES,
    output: opt.Output = None,
    form: opt.Form = None,
    hybrid: Annotated[
        bool,
        Option(
            "--hybrid",
            help="For queries, also measure search by words, and by words and meaning together.",
            group="Words",
        ),
    ] = False,
    language: opt.WordLanguage = None,
    *,
    plot: opt.PlotTo = None,
    model: opt.Models = None,
    engine: EngineFlags,
    reranking: RerankFlags,
    reading: DatasetFlags,
    running: RunFlags,
) -> None:
    """Measure models on your own texts: quality, speed and memory.

    simil eval pairs.tsv -m minilm -m bge-base · simil eval --demo
    """
    from simil.cli.commands.eval_data import DEMO_POSITIVE_FROM, Sources, read_dataset
    from simil.cli.commands.eval_view import draw_model_results, show_model_results
    from simil.cli.eval_worker import worker_command
    from simil.cli.options.run import notes_on_stderr
    from simil.cli.output.notes import Notes
    from simil.cli.output.output_file import open_output
    from simil.cli.output.rows import form_of
    from simil.cli.plots.drawing import check_plot, replaces_text
    from simil.formats.delimited import safe_cells

    shown_as = form_of(form, output)
    check_plot(plot)
    candidates = reranking.count(max(recall_at) if recall_at else None)
    WordFlags(hybrid=hybrid, language=language).check(None)
    sources = Sources(data, queries, documents, retrieval=retrieval, demo=demo)
    if demo and positive_from is None and not retrieval:
        positive_from = DEMO_POSITIVE_FROM
    with notes_on_stderr(quiet=running.quiet, verbose=running.verbose), safe_cells(running.safe_csv):
        saving = save_calibration or calibration is not None
        settings = ModelFlags.of(None, engine).settings(running.env_file)  # Before reading, if it is wrong.
        # A pinned model is not taken for one that a flag names, which needs no consent.
        names: list[str | None] = [*dict.fromkeys(filter(None, model or []))] or [None]
        notes = Notes(reading.on_error)
        dataset = read_dataset(sources, reading, score_field, notes)
        experiment = _experiment(dataset, positive_from, recall_at, resamples, candidates)
        words = _words(language, experiment, quiet=running.quiet) if hybrid else None
        calibrator = _Calibrator(experiment, sources.name, calibration, len(names)) if saving else None
        reranker = _reranker(reranking.rerank, experiment, settings, quiet=running.quiet)
        with open_output(output) as stream:
            command = worker_command(quiet=running.quiet, verbose=running.verbose)
            results = _measured(names, engine, running, experiment, command, calibrates=saving)
            shown, reranked = _side_by_side(results, experiment, words, reranker, command)
            if plot is not None:
                draw_model_results(plot, shown, experiment, sources.name)
            if not replaces_text(plot, shown_as):
                show_model_results(shown, experiment, shown_as, stream)
        # The results, which may have cost money, are printed before anything else is written.
        if calibrator is not None:
            for result in results:
                calibrator.learn(result.measured)
        notes.finish(None, warn_of_cut=False)
    models = len(names) + (reranker is not None)
    failed = models - len(results) - reranked
    if failed:
        raise PartlyDone(f"{failed} of {models} models could not be measured", hint="see above")


def _experiment(
    dataset: PairsDataset | RetrievalDataset,
    positive_from: float | None,
    recall_at: Sequence[int] | None,
    resamples: int,
    candidates: int | None,
) -> Experiment:
    from simil.tasks.evaluation.datasets import PairsDataset
    from simil.tasks.evaluation.experiments import PairsExperiment, RetrievalExperiment

    if not isinstance(dataset, PairsDataset):
        if positive_from is not None:
            raise UsageError("--positive-from is for pairs, and these are queries", hint="leave it out")
        ranks = [*dict.fromkeys(recall_at or _RECALL_AT)]
        return RetrievalExperiment(dataset, ranks, resamples, candidates)
    if recall_at:
        raise UsageError("-k is for queries, and these are pairs", hint="leave it out")
    if candidates is not None:
        raise UsageError("--rerank is for queries, and these are pairs", hint="leave it out")
    if positive_from is not None and isnan(positive_from):
        raise UsageError("--positive-from cannot be nan", hint="give a number")
    if dataset.positives(positive_from) is None:
        log.warning(
            "the scores are not 0 and 1: F1 needs --positive-from X, the lowest score of a pair that is alike"
        )
    return PairsExperiment(dataset, positive_from, resamples)


def _reranker(
    name: str | None, experiment: Experiment, settings: Settings, *, quiet: bool
) -> Reranking | None:
    from simil.cli.commands.eval_rerank import Reranking
    from simil.cli.output.progress_bar import terminal_progress
    from simil.tasks.evaluation.experiments import RetrievalExperiment

    if name is None or not isinstance(experiment, RetrievalExperiment):
        return None
    return Reranking(name, experiment, settings, terminal_progress(quiet=quiet))


def _words(language: str | None, experiment: Experiment, *, quiet: bool) -> WordRanking:
    from simil.cli.commands.eval_rerank import WordRanking
    from simil.cli.output.progress_bar import terminal_progress
    from simil.index.word_tokens import DEFAULT_LANGUAGE
    from simil.tasks.evaluation.experiments import RetrievalExperiment

    if not isinstance(experiment, RetrievalExperiment):
        raise UsageError("--hybrid is for queries, and these are pairs", hint="leave it out")
    return WordRanking(experiment, language or DEFAULT_LANGUAGE, terminal_progress(quiet=quiet))


def _side_by_side(
    results: Sequence[ModelResult],
    experiment: Experiment,
    words: WordRanking | None,
    reranker: Reranking | None,
    command: Sequence[str],
) -> tuple[Sequence[ModelResult], bool]:
    """Return the results with what words and a reranker make of them, and whether there are reranked ones."""
    from simil.cli.commands.eval_rerank import Ranking
    from simil.tasks.evaluation.experiments import RetrievalExperiment

    if not isinstance(experiment, RetrievalExperiment) or (words is None and reranker is None):
        return results, False
    rankings = []
    for result in results:
        rankings.append(Ranking(result, experiment.nearest(result.measured.vectors)))
        if words is not None:
            rankings.append(words.beside(result))
    given = [ranking.result for ranking in rankings]
    reranked = [] if reranker is None else reranker.results(rankings, command)
    pairs = zip(given, reranked, strict=True) if reranked else zip(given, strict=True)
    alone = [] if words is None else [words.alone()]
    return [*alone, *chain.from_iterable(pairs)], bool(reranked)


def _measured(
    names: Sequence[str | None],
    engine: EngineFlags,
    running: RunFlags,
    experiment: Experiment,
    command: Sequence[str],
    *,
    calibrates: bool,
) -> list[ModelResult]:
    """Measure one model after another; return the results and report why the others failed.

    With `calibrates` cross-encoders fail, since calibrations are for cosines. Raises the last failure if none
    could be measured.
    """
    from simil.cli.commands.eval_view import ModelResult
    from simil.session.measuring import NotMeasured, measure

    results: list[ModelResult] = []
    for number, name in enumerate(names, 1):
        try:
            settings = ModelFlags.of(name, engine).settings(running.env_file)
            if calibrates:
                _expect_cosines(settings)
            measured = measure(settings, engine.dimensions, experiment.texts, command, pairs=experiment.pairs)
            results.append(ModelResult(measured, _quality(experiment, measured)))
        except SimilError as exc:
            if len(names) == 1:
                raise
            failure = f"{name}: {exc}"
            if number == len(names) and not results:
                raise NotMeasured(failure, exc.exit_code) from exc
            log.error(failure)
    return results


def _expect_cosines(settings: Settings) -> None:
    """Raise `UsageError` for a cross-encoder."""
    from simil.models.files.model_kind import ModelKind
    from simil.models.select import kind_of_choice
    from simil.progress import silent

    if kind_of_choice(settings, silent) is ModelKind.CROSS_ENCODER:
        raise UsageError(
            f"a calibration is for cosines, and {settings.model} is a cross-encoder",
            hint="measure it without --save-calibration",
        )


def _quality(experiment: Experiment, measured: Measured) -> Mapping[str, Estimate]:
    from simil.tasks.evaluation.experiments import PairsExperiment

    if measured.scores is not None and isinstance(experiment, PairsExperiment):
        return experiment.evaluate_scores(measured.scores)
    return experiment.evaluate(measured.vectors)


class _Calibrator:
    """Learns calibrations from the pairs of an experiment."""

    def __init__(self, experiment: Experiment, source: str, path: Path | None, models: int) -> None:
        from simil.tasks.evaluation.calibration import check_labels
        from simil.tasks.evaluation.experiments import PairsExperiment

        if not isinstance(experiment, PairsExperiment):
            raise UsageError("a calibration needs pairs, and these are queries")
        alike = experiment.dataset.positives(experiment.positive_from)
        if alike is None:
            raise UsageError(
                "a calibration needs to know which pairs are alike", hint="pass --positive-from X"
            )
        if path is not None and models > 1:
            raise UsageError(
                "--calibration FILE holds the calibration of one model",
                hint="give one -m, or --save-calibration",
            )
        if path is not None and not path.parent.is_dir():
            raise UsageError("its folder does not exist", place=Place(str(path)), hint="check --calibration")
        check_labels(alike)
        self._experiment, self._alike = experiment, alike
        self._source, self._path = file_name(source), path

    def learn(self, measured: Measured) -> None:
        """Learn and save the calibration of one model."""
        from datetime import date

        from simil.cli.commands.compare_scale import save_calibration
        from simil.tasks.evaluation.calibration import calibrate

        assert measured.dimensions is not None  # See `_expect_cosines`.
        found = calibrate(
            self._experiment.cosines(measured.vectors),
            self._alike,
            model=measured.model,
            dimensions=measured.dimensions,
            learnt_from=self._source,
            date=date.today().isoformat(),
        )
        where = save_calibration(found, self._path)
        log.warning("the calibration of %s is saved in %s", measured.model, where)

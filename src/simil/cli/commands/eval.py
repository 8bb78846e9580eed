"""`simil eval`: which model does best on these texts, and what does it take?"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simil.cli.options import types as opt
from simil.cli.options.groups import EngineFlags, JudgedFlags, ModelFlags, RunFlags, expanded, start
from simil.cli.options.plot import PlotTo
from simil.cli.output.cells import file_name
from simil.errors import PartlyDone, Place, SimilError, UsageError

if TYPE_CHECKING:
    from simil.cli.commands.eval_view import ModelResult
    from simil.session.measuring import Measured
    from simil.tasks.evaluation.datasets import LabelledPairs, Retrieval
    from simil.tasks.evaluation.experiments import Experiment

__all__ = ["evaluate"]

log = logging.getLogger("simil")

_RECALL_AT = (1, 5, 10)
_RESAMPLES = 1000


@expanded
def evaluate(
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="DATA",
            help="Labelled pairs, or queries with their documents: tsv, csv, json, jsonl or -.",
        ),
    ] = None,
    score_field: Annotated[
        str | None,
        typer.Option("--score-field", metavar="NAME", help="The column or key of the score or grade."),
    ] = None,
    positive_from: Annotated[
        float | None,
        typer.Option(
            "--positive-from",
            metavar="X",
            help="From this score on a pair counts as alike; not needed where scores are 0 and 1.",
        ),
    ] = None,
    retrieval: Annotated[
        bool, typer.Option("--retrieval", help="DATA holds queries, each with a document that answers it.")
    ] = False,
    queries: Annotated[
        str | None,
        typer.Option("--queries", metavar="FILE", help="Queries, which DATA names by their ids."),
    ] = None,
    documents: Annotated[
        str | None,
        typer.Option("--documents", metavar="FILE", help="Documents, which DATA names by their ids."),
    ] = None,
    recall_at: Annotated[
        list[int] | None,
        typer.Option(
            "-k",
            "--top-k",
            metavar="N",
            min=1,
            help="Recall among the N best (repeat it; default: 1, 5, 10).",
        ),
    ] = None,
    demo: Annotated[
        bool, typer.Option("--demo", help="Measure on pairs that ship with simil (--retrieval: on queries).")
    ] = False,
    save_calibration: Annotated[
        bool,
        typer.Option("--save-calibration", help="Learn from the pairs what compare --calibrated says."),
    ] = False,
    calibration: opt.CalibrationFile = None,
    resamples: Annotated[
        int,
        typer.Option("--resamples", metavar="N", min=0, help="Resamples for the 95 % intervals; 0 for none."),
    ] = _RESAMPLES,
    output: opt.Output = None,
    form: opt.Form = None,
    *,
    plot: PlotTo = None,
    model: opt.Models = None,
    engine: EngineFlags,
    reading: JudgedFlags,
    running: RunFlags,
) -> None:
    """Measure models on your own texts: how well they do, how fast, in how much memory.

    simil eval pairs.tsv -m minilm -m bge-base · simil eval --demo
    """
    from simil.cli.commands.eval_data import DEMO_POSITIVE_FROM, Sources, read_judged
    from simil.cli.commands.eval_view import draw_model_results, show_model_results
    from simil.cli.output.notes import Notes
    from simil.cli.output.output_file import open_output
    from simil.cli.output.rows import form_of
    from simil.cli.plots.drawing import check_plot, replaces_text

    shown_as = form_of(form, output)
    check_plot(plot)
    sources = Sources(data, queries, documents, retrieval=retrieval, demo=demo)
    if demo and positive_from is None and not retrieval:
        positive_from = DEMO_POSITIVE_FROM
    with start(ModelFlags.of(None, engine), running) as run:
        saving = save_calibration or calibration is not None
        names: list[str | None] = [*dict.fromkeys(filter(None, model or []))] or [run.settings.model]
        notes = Notes(reading.on_error)
        judged = read_judged(sources, reading, score_field, notes)
        trial = _trial(judged, positive_from, recall_at, resamples)
        teacher = _Teacher(trial, sources.name, calibration, len(names)) if saving else None
        with open_output(output) as stream:
            ratings = _rated(names, engine, running, trial)
            if plot is not None:
                draw_model_results(plot, ratings, trial)
            if not replaces_text(plot, shown_as):
                show_model_results(ratings, trial, shown_as, stream)
        # What was measured, and perhaps paid for, is out before anything else is written.
        if teacher is not None:
            for rating in ratings:
                teacher.teach(rating.measured)
        notes.finish(None, warn_of_cut=False)
    failed = len(names) - len(ratings)
    if failed:
        raise PartlyDone(f"{failed} of {len(names)} models could not be measured", hint="see above")


def _trial(
    judged: LabelledPairs | Retrieval,
    positive_from: float | None,
    recall_at: Sequence[int] | None,
    resamples: int,
) -> Experiment:
    from simil.tasks.evaluation.datasets import LabelledPairs
    from simil.tasks.evaluation.experiments import PairsExperiment, RetrievalExperiment

    if not isinstance(judged, LabelledPairs):
        if positive_from is not None:
            raise UsageError("--positive-from is for pairs, and these are queries", hint="leave it out")
        return RetrievalExperiment(judged, [*dict.fromkeys(recall_at or _RECALL_AT)], resamples)
    if recall_at:
        raise UsageError("-k is for queries, and these are pairs", hint="leave it out")
    if positive_from is not None and isnan(positive_from):
        raise UsageError("--positive-from cannot be nan", hint="give a number")
    if judged.alike(positive_from) is None:
        log.warning(
            "the scores are not 0 and 1: --positive-from X says from which on a pair is alike (for F1)"
        )
    return PairsExperiment(judged, positive_from, resamples)


def _rated(
    names: Sequence[str | None], engine: EngineFlags, running: RunFlags, trial: Experiment
) -> list[ModelResult]:
    """Return the models that could be measured, one after the other; why others could not is told.

    Raises the reason where none could.
    """
    from simil.cli.commands.eval_view import ModelResult
    from simil.session.measuring import NotMeasured, measure

    ratings: list[ModelResult] = []
    for number, name in enumerate(names, 1):
        try:
            measured = measure(ModelFlags.of(name, engine), running, trial.texts)
            ratings.append(ModelResult(measured, trial.quality(measured.vectors)))
        except SimilError as exc:
            if len(names) == 1:
                raise
            told = f"{name}: {exc}"
            if number == len(names) and not ratings:
                raise NotMeasured(told, exc.exit_code) from exc
            log.error(told)
    return ratings


class _Teacher:
    """Learns calibrations from the pairs of a trial."""

    def __init__(self, trial: Experiment, source: str, path: Path | None, models: int) -> None:
        from simil.tasks.evaluation.calibration import check_kinds
        from simil.tasks.evaluation.experiments import PairsExperiment

        if not isinstance(trial, PairsExperiment):
            raise UsageError("a calibration is learnt from pairs, and these are queries")
        alike = trial.pairs.alike(trial.positive_from)
        if alike is None:
            raise UsageError(
                "a calibration needs to know which pairs are alike", hint="pass --positive-from X"
            )
        if path is not None and models > 1:
            raise UsageError(
                "--calibration FILE holds that of one model", hint="give one -m, or --save-calibration"
            )
        if path is not None and not path.parent.is_dir():
            raise UsageError("its folder does not exist", place=Place(str(path)), hint="check --calibration")
        check_kinds(alike)
        self._trial, self._alike = trial, alike
        self._source, self._path = file_name(source), path

    def teach(self, measured: Measured) -> None:
        """Learn and save the calibration of one model."""
        from datetime import date

        from simil.cli.commands.compare_scale import save_calibration
        from simil.tasks.evaluation.calibration import calibrate

        found = calibrate(
            self._trial.cosines(measured.vectors),
            self._alike,
            model=measured.model,
            dimensions=measured.dimensions,
            learnt_from=self._source,
            date=date.today().isoformat(),
        )
        where = save_calibration(found, self._path)
        log.warning("the calibration of %s is saved in %s", measured.model, where)

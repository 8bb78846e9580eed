"""`simil compare`: how similar are these texts?"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simil.cli.options import types as opt
from simil.cli.options import values
from simil.cli.options.groups import ModelFlags, PairFlags, RunFlags, expanded
from simil.errors import Place, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import BinaryIO

    from simil.cli.commands.compare_scale import Scaling
    from simil.cli.options.run import SessionRun
    from simil.embedders.base import Embedder
    from simil.session.inputs import OpenInput
    from simil.similarity import Metric
    from simil.tasks.comparison import Comparison, PairScores
    from simil.tasks.embedding import EmbedOptions
    from simil.tasks.evaluation.scales import Scale
    from simil.texts import ReadOptions

__all__ = ["compare"]

log = logging.getLogger("simil")


@expanded
def compare(
    texts: Annotated[
        list[str] | None,
        typer.Argument(metavar="TEXT", help="Texts to compare; - reads them from stdin, one per line."),
    ] = None,
    text: Annotated[
        list[str] | None,
        typer.Option("-t", "--text", metavar="TEXT", help="Compare TEXT, even if it is the name of a file."),
    ] = None,
    file: Annotated[
        list[str] | None,
        typer.Option(
            "--file",
            metavar="FILE",
            help="Compare the content of FILE, or of each file in a folder, as one text; may be repeated.",
        ),
    ] = None,
    pairs: Annotated[
        str | None,
        typer.Option(
            "--pairs",
            metavar="FILE",
            help="Score the two texts in each row of a tsv, csv or jsonl file; --field names the columns.",
        ),
    ] = None,
    metric: Annotated[
        str,
        typer.Option(
            "--metric", metavar="NAME", help="How to compare vectors: cosine, dot, euclidean or manhattan."
        ),
    ] = "cosine",
    threshold: Annotated[
        float | None,
        typer.Option(
            "--threshold",
            metavar="X",
            help="Exit with 1 unless every score is at least X (distances: at most X).",
        ),
    ] = None,
    calibrated: Annotated[
        bool,
        typer.Option(
            "--calibrated",
            help="Print the probability that people would call the texts alike; see simil eval.",
        ),
    ] = False,
    calibration: opt.CalibrationFile = None,
    percentile: Annotated[
        str | None,
        typer.Option(
            "--percentile",
            metavar="FILE",
            help="Print the percentage of random pairs of texts in FILE that are less similar.",
        ),
    ] = None,
    output: opt.Output = None,
    form: opt.Form = None,
    no_normalize: opt.NoNormalize = False,
    *,
    plot: opt.PlotTo = None,
    model: ModelFlags,
    reading: PairFlags,
    running: RunFlags,
) -> None:
    """Show how similar texts are: a score for two, a matrix for more.

    simil compare "Apple" "Orange" · simil compare --pairs pairs.tsv --field a --field b
    """
    from simil.cli.commands.compare_items import GivenTexts, items_of
    from simil.cli.commands.compare_scale import ScaleOptions, Scaling
    from simil.cli.options.run import open_run
    from simil.cli.output.output_file import open_output
    from simil.cli.output.rows import form_of
    from simil.similarity import Metric
    from simil.tasks.comparison import compare as compare_items
    from simil.tasks.embedding import EmbedOptions

    given = GivenTexts(texts or [], text or [], file or [])
    values.check_choice("--metric", metric, Metric)
    values.check_threshold(threshold)
    normalize = not no_normalize
    asked = ScaleOptions(calibrated, calibration, percentile)
    asked.check(Metric(metric), normalize=normalize)
    nulls = pairs is not None
    with open_run(model, running, on_error=reading.on_error, normalize=normalize, nulls=nulls) as run:
        wanted = EmbedOptions(dimensions=model.dimensions, normalize=normalize)
        scaling = Scaling(asked, run.session, Metric(metric), reading)
        if pairs is not None and (texts or text or file):
            raise UsageError("--pairs brings its own texts", hint="leave the others out")
        if plot is not None:
            from simil.cli.plots.drawing import check_plot

            if pairs is not None:
                raise UsageError("--pairs has no matrix to draw", hint="leave out --plot")
            check_plot(plot)
        shown_as = form_of(form, output)
        if pairs is not None:
            rows = _Rows(pairs, reading.options(), Metric(metric), wanted, scaling, threshold)
            reached = rows.score(run, shown_as, output)
        else:
            items = [*items_of(run.session, given, reading.options())]
            with open_output(output) as stream:
                comparison = compare_items(
                    items,
                    Metric(metric),
                    wanted,
                    run.session.embedder,
                    on_error=run.notes.on_error,
                    on_unknown=run.notes.unknown,
                )
                comparison = replace(comparison, scale=scaling.scale(comparison.model, comparison.dimensions))
                _show(comparison, shown_as, stream, plot, quiet=run.quiet and output is None)
            reached = threshold is None or comparison.all_reach(threshold)
    if not reached:
        raise typer.Exit(1)


def _show(comparison: Comparison, form: str, stream: BinaryIO, plot: str | None, *, quiet: bool) -> None:
    from simil.cli.commands.compare_view import draw_comparison, show_comparison
    from simil.cli.plots.drawing import replaces_text

    if plot is not None:  # Before the text, since its reader may close the pipe.
        draw_comparison(plot, comparison)
    if not quiet and not replaces_text(plot, form):
        show_comparison(comparison, form, stream)


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows of --pairs, and how the two texts of each are scored."""

    source: str
    reading: ReadOptions
    metric: Metric
    wanted: EmbedOptions
    scaling: Scaling
    threshold: float | None

    def score(self, run: SessionRun, form: str, output: Path | None) -> bool:
        """Write a score for each row; return whether all reach the threshold."""
        from simil.cli.commands.compare_view import show_pairs
        from simil.cli.output.output_file import open_output
        from simil.tasks.comparison import compare_pairs

        opened = run.session.open([self.source], self.reading)
        if opened.holds_vectors:
            raise UsageError("--pairs needs texts, and this is a file of vectors", place=Place(self.source))
        keeps_failed = run.notes.keeps_failed
        rows = opened.pairs(run.notes.blank, run.notes.on_error, keeps_failed=keeps_failed)
        embedder = run.session.embedder()
        scored = compare_pairs(
            rows,
            self.metric,
            self.wanted,
            embedder,
            on_error=run.notes.on_error,
            keeps_failed=keeps_failed,
            on_unknown=run.notes.unknown,
        )
        missed: list[PairScores] = []
        with open_output(output) as stream:
            # The first rows tell how long vectors are, and with that the scale is known.
            first = next(scored, None)
            known = first is not None and first.dimensions
            scale = self.scaling.scale(embedder.stamp, known) if known else None
            batches = self._checked(chain([first] if first else [], scored), scale, missed)
            shown = _watched(batches, opened, run, embedder, beside_output=output is None)
            if run.quiet and not output:
                for _ in shown:
                    pass
            else:
                types = opened.column_types
                show_pairs(shown, form, stream, self.metric, embedder.stamp, scale, types=types)
        return not missed

    def _checked(
        self, batches: Iterable[PairScores], scale: Scale | None, missed: list[PairScores]
    ) -> Iterator[PairScores]:
        """Yield scores on the scale; the first batch with one below the threshold goes to `missed`."""
        import numpy as np

        from simil.tasks.evaluation.scales import reaches

        for batch in batches:
            scores = batch.scores if scale is None else scale.apply(batch.scores)
            if self.threshold is not None and not missed:
                given = scores[~np.isnan(scores)]
                below = not reaches(given, self.threshold, self.metric, scale).all()
                missed += [batch] if below else []
            yield replace(batch, scores=scores)


def _watched(
    batches: Iterable[PairScores],
    opened: OpenInput,
    run: SessionRun,
    embedder: Embedder,
    *,
    beside_output: bool,
) -> Iterator[PairScores]:
    """Yield the batches beside a progress bar."""
    from simil.cli.output.progress_bar import terminal_progress

    progress = terminal_progress(quiet=run.quiet, beside_output=beside_output)
    with progress("comparing", total=opened.count, unit="rows", status=embedder.status) as advance:
        for batch in batches:
            yield batch
            advance(len(batch.pairs))

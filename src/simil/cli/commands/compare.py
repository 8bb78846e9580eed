"""`simil compare`: how similar are these texts?"""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simil.cli.options import types as opt
from simil.cli.options import values
from simil.cli.options.groups import InputFlags, ModelFlags, RunFlags, expanded
from simil.errors import Place, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from simil.cli.commands.compare_scale import Scaling
    from simil.session.session import Session
    from simil.similarity import Metric
    from simil.tasks.comparison import Item, PairScores
    from simil.tasks.embedding import EmbedOptions
    from simil.tasks.evaluation.scales import Scale
    from simil.texts import ReadOptions
    from simil.vectors import VectorFile

__all__ = ["compare"]

log = logging.getLogger("simil")


@expanded
def compare(
    texts: Annotated[
        list[str] | None,
        typer.Argument(metavar="TEXT", help="Texts to compare; - reads them from stdin, one per line."),
    ] = None,
    file: Annotated[
        list[str] | None,
        typer.Option(
            "--file", metavar="FILE", help="Compare the content of FILE as one text; may be repeated."
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
        typer.Option("--metric", metavar="cosine|dot|euclidean|manhattan", help="How to compare vectors."),
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
    reading: InputFlags,
    running: RunFlags,
) -> None:
    """Show how similar texts are: a score for two, a matrix for more.

    simil compare "Apple" "Orange" · simil compare --pairs pairs.tsv --field a --field b
    """
    from simil.cli.commands.compare_scale import ScaleOptions, Scaling
    from simil.session.session import open_session
    from simil.similarity import Metric
    from simil.tasks.embedding import EmbedOptions

    values.check_choice("--metric", metric, Metric)
    values.check_threshold(threshold)
    normalize = not no_normalize
    nulls = pairs is not None
    asked = ScaleOptions(calibrated, calibration, percentile)
    asked.check(Metric(metric), normalize=normalize)
    with open_session(model, running, on_error=reading.on_error, normalize=normalize, nulls=nulls) as session:
        wanted = EmbedOptions(dimensions=model.dimensions, normalize=normalize)
        scaling = Scaling(asked, session, Metric(metric), reading)
        task = _Task(session, Metric(metric), threshold, wanted, reading.options(), scaling)
        if pairs is not None and (texts or file):
            raise UsageError("--pairs brings its own texts", hint="leave the others out")
        if plot is not None:
            from simil.cli.plots.drawing import check_plot

            if pairs is not None:
                raise UsageError("--pairs has no matrix to draw", hint="leave out --plot")
            check_plot(plot)
        if pairs is not None:
            reached = task.pairs(pairs, form, output)
        else:
            reached = task.each_with_each(texts or [], file or [], form, output, plot)
    if not reached:
        raise typer.Exit(1)


class _Task:
    """One run of the command: what was asked, and of whom."""

    def __init__(
        self,
        session: Session,
        metric: Metric,
        threshold: float | None,
        wanted: EmbedOptions,
        reading: ReadOptions,
        scaling: Scaling,
    ) -> None:
        self._session = session
        self._metric = metric
        self._threshold = threshold
        self._wanted = wanted
        self._reading = reading
        self._scaling = scaling
        self._on_error = session.notes.on_error

    def each_with_each(
        self, texts: list[str], files: list[str], form: str | None, output: Path | None, plot: str | None
    ) -> bool:
        """Compare all items with each other; return whether the threshold is reached."""
        from simil.cli.commands.compare_view import draw_comparison, show_comparison
        from simil.cli.output.output_file import open_output
        from simil.cli.output.rows import form_of
        from simil.cli.plots.drawing import replaces_text
        from simil.tasks.comparison import compare

        shown_as = form_of(form, output)
        items = [*self._items(texts, files)]
        with open_output(output) as stream:
            comparison = compare(
                items, self._metric, self._wanted, self._session.embedder, on_error=self._on_error
            )
            scale = self._scaling.scale(comparison.model, comparison.dimensions)
            comparison = replace(comparison, scale=scale)
            if plot is not None:  # Before the text, since its reader may close the pipe.
                draw_comparison(plot, comparison)
            if (not self._session.run.quiet or output) and not replaces_text(plot, shown_as):
                show_comparison(comparison, shown_as, stream)
        return self._threshold is None or comparison.all_reach(self._threshold)

    def pairs(self, source: str, form: str | None, output: Path | None) -> bool:
        """Score the rows of `source`; return whether all reach the threshold."""
        from simil.cli.commands.compare_view import show_pairs
        from simil.cli.output.output_file import open_output
        from simil.cli.output.progress_bar import terminal_progress
        from simil.cli.output.rows import form_of
        from simil.tasks.comparison import compare_pairs
        from simil.tasks.evaluation.scales import reaches
        from simil.texts import count_roughly, read_pairs

        shown_as = form_of(form, output)
        inputs = self._session.inputs([source], self._reading)
        if inputs.forms:
            raise UsageError("--pairs needs texts, and this is a file of vectors", place=Place(source))
        rows = read_pairs(
            source,
            self._reading,
            on_blank=self._session.notes.blank,
            on_error=self._on_error,
            stdin=inputs.stdin,
        )
        embedder = self._session.embedder()
        reached = True

        def watched(batches: Iterable[PairScores], scale: Scale | None) -> Iterator[PairScores]:
            nonlocal reached
            progress = terminal_progress(quiet=self._session.run.quiet, beside_output=output is None)
            with progress(
                "comparing",
                total=lambda: count_roughly(inputs.sources, self._reading),
                unit="rows",
                status=embedder.status,
            ) as advance:
                for batch in batches:
                    scores = batch.scores if scale is None else scale.apply(batch.scores)
                    if self._threshold is not None:
                        reached &= bool(reaches(scores, self._threshold, self._metric, scale).all())
                    yield replace(batch, scores=scores)
                    advance(len(batch.pairs))

        scored = compare_pairs(
            rows,
            self._metric,
            self._wanted,
            embedder,
            on_error=self._on_error,
            keeps_failed=self._session.notes.keeps_failed,
        )
        with open_output(output) as stream:
            # The first rows tell how long vectors are, and with that the scale is known.
            first = next(scored, None)
            scale = self._scaling.scale(embedder.stamp, first.dimensions) if first else None
            shown = watched(chain([first] if first else [], scored), scale)
            if self._session.run.quiet and not output:
                for _ in shown:
                    pass
            else:
                show_pairs(shown, shown_as, stream, self._metric, embedder.stamp, scale)
        return reached

    def _items(self, texts: list[str], files: list[str]) -> Iterator[Item]:
        from simil.tasks.comparison import Item

        if not texts and not files:
            texts = ["-"]
        if texts.count("-") > 1:
            raise UsageError("- stands for stdin and can be given once")
        for number, text in enumerate(texts, 1):
            if text == "-":
                yield from self._stdin_items()
            else:
                if os.path.isfile(text):  # noqa: PTH113 (Path raises for a text too long to be a name)
                    log.warning("%s is compared as a text; --file %s compares its content", text, text)
                (given,) = values.given([text], "text", values.refuse_blank, first=number)
                yield Item(given.text, given)
        for path in files:
            yield from self._file_items(path)

    def _stdin_items(self) -> Iterator[Item]:
        from simil.tasks.comparison import Item

        inputs = self._session.inputs(["-"], self._reading)
        if inputs.forms:
            for file in inputs.vector_files():
                yield from _rows_of(file)
            return
        for text in self._session.read(inputs, self._reading):
            yield Item(text.text, text)

    def _file_items(self, path: str) -> Iterator[Item]:
        from simil.session.inputs import vector_form
        from simil.vectors import read_vectors

        form = vector_form(path)
        if form:
            yield from _rows_of(read_vectors(path, format=form))
        else:
            yield self._whole_file(path)

    def _whole_file(self, path: str) -> Item:
        from simil.tasks.comparison import Item
        from simil.texts import ReadOptions, read_texts

        (text,) = read_texts([path], ReadOptions(whole=True), on_blank=values.refuse_blank)
        return Item(text.id, text)


def _rows_of(file: VectorFile) -> Iterator[Item]:
    from simil.tasks.comparison import Item

    for row, vector in enumerate(file.vectors):
        yield Item(file.texts[row] or file.ids[row], None, vector, file.model, file.ids[row])

"""`simil compare`: how similar are these texts?"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Annotated

from simil.cli.negative_answer import NegativeAnswer
from simil.cli.options import types as opt
from simil.cli.options import values
from simil.cli.options.declarations import Argument, Option
from simil.cli.options.groups import ModelFlags, PairFlags, RunFlags, expanded
from simil.errors import UsageError
from simil.frozen import Frozen

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import BinaryIO

    from simil.cli.commands.compare_formats import AnyComparison
    from simil.cli.commands.compare_items import GivenTexts
    from simil.cli.options.run import SessionRun
    from simil.tasks.comparison import Item
    from simil.tasks.pair_scoring import CrossComparison

__all__ = ["compare"]

log = logging.getLogger("simil")

_ORDERS = ("input", "cluster")


@expanded
def compare(
    texts: Annotated[
        list[str] | None,
        Argument(metavar="TEXT", help="Texts to compare; - reads them from stdin, one per line."),
    ] = None,
    text: Annotated[
        list[str] | None,
        Option(
            "-t",
            "--text",
            metavar="TEXT",
            help="Compare TEXT, even if there is a file of that name; may be repeated.",
        ),
    ] = None,
    file: Annotated[
        list[str] | None,
        Option(
            "--file",
            metavar="FILE",
            help="Compare FILE as one text; for a folder, each file in it. May be repeated.",
        ),
    ] = None,
    pairs: Annotated[
        str | None,
        Option(
            "--pairs",
            metavar="FILE",
            help="Score the two texts in each row of a tsv, csv or jsonl file; --field, given twice, "
            "names the columns.",
        ),
    ] = None,
    metric: Annotated[
        str | None,
        Option(
            "--metric",
            metavar="METRIC",
            help=("Measure to compare with; euclidean and manhattan are distances, where 0 means equal."),
            choices=("cosine", "dot", "euclidean", "manhattan"),
            default="the model's own, usually cosine",
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        Option(
            "--threshold",
            metavar="X",
            help="Exit with 1 unless every score is at least X (a distance: at most X).",
        ),
    ] = None,
    calibrated: Annotated[
        bool,
        Option(
            "--calibrated",
            help="Print the probability that people would call the texts alike, as learnt by simil "
            "eval --save-calibration.",
        ),
    ] = False,
    calibration: opt.CalibrationFile = None,
    percentile: Annotated[
        str | None,
        Option(
            "--percentile",
            metavar="FILE",
            help="Print the percentage of random pairs of texts in FILE that are less similar.",
        ),
    ] = None,
    top: Annotated[
        int | None,
        Option("--top", metavar="N", min=1, help="Show the N most similar pairs instead of a matrix."),
    ] = None,
    output: opt.Output = None,
    form: opt.Form = None,
    no_normalize: opt.NoNormalize = False,
    whole: Annotated[
        bool,
        Option(
            "--whole",
            help="Treat each TEXT as the name of a file or folder, as after --file.",
            group="Input",
        ),
    ] = False,
    order: Annotated[
        str,
        Option(
            "--order",
            choices=_ORDERS,
            metavar="ORDER",
            help="Order of the texts in a matrix and its picture: cluster puts similar ones side by side.",
        ),
    ] = "input",
    *,
    plot: opt.PlotTo = None,
    model: ModelFlags,
    reading: PairFlags,
    running: RunFlags,
) -> None:
    """Show how similar texts are: a score for two, a matrix for more.

    A cross-encoder reads both texts at once, the first as the query: the order matters to it.

    simil compare "Apple" "Orange" · simil compare --pairs pairs.tsv --field a --field b
    """
    from simil.cli.commands.compare_items import GivenTexts, items_of
    from simil.cli.commands.compare_scale import ScaleOptions, Scaling
    from simil.cli.options.run import open_run
    from simil.cli.output.output_file import open_output
    from simil.cli.output.output_form import form_of
    from simil.similarity import Metric
    from simil.tasks.comparison import compare as compare_items
    from simil.tasks.embedding import EmbedOptions

    given = GivenTexts(texts or [], text or [], file or [])
    if whole:
        reading.options(whole=True)  # Raises for options that whole files have no use for.
        given = given.as_files()
    values.check_choice("--order", order, _ORDERS)
    _check_choice(given, pairs, top, plot, order)
    if metric is not None:
        values.check_choice("--metric", metric, Metric)
    chosen = None if metric is None else Metric(metric)
    values.check_threshold(threshold)
    normalize = not no_normalize
    asked = ScaleOptions(calibrated, calibration, percentile)
    asked.check(chosen or Metric.COSINE, normalize=normalize)
    if asked.is_scale:
        chosen = chosen or Metric.COSINE
    nulls = pairs is not None
    with open_run(model, running, on_error=reading.on_error, normalize=normalize, nulls=nulls) as run:
        wanted = EmbedOptions(dimensions=model.dimensions, normalize=normalize)
        scaling = Scaling(asked, run.session, chosen or Metric.COSINE, reading)
        display = _Display(form_of(form, output), plot, given.named_files, top)
        about_vectors = {
            "--metric": metric,
            "--dimensions": model.dimensions,
            "--no-normalize": no_normalize,
            "--calibrated": asked.calibrated,
            "--percentile": percentile,
        }
        if pairs is not None:
            from simil.cli.commands.compare_pairs import PairRows

            rows = PairRows(pairs, reading.options(), chosen, wanted, scaling, threshold)
            crosses = _is_cross_encoder(run, about_vectors)
            reached = rows.score(run, display.form, output, is_cross_encoder=crosses)
        else:
            items = [*items_of(run.session, given, reading)]
            with open_output(output) as stream:
                compared: AnyComparison
                # Saved vectors need no model.
                has_texts = len(items) > 1 and any(item.text is not None for item in items)
                if has_texts and _is_cross_encoder(run, about_vectors):
                    compared = _scored(items, run, plot)
                else:
                    compared = compare_items(
                        items,
                        chosen,
                        wanted,
                        run.session.embedder,
                        on_error=run.notes.on_error,
                        on_unknown=run.notes.unknown,
                    )
                    compared = scaling.scaled(compared)
                compared = _ordered(compared, order)
                display(compared, stream, quiet=run.quiet and output is None)
            reached = threshold is None or compared.all_reach(threshold)
    if not reached:
        raise NegativeAnswer


def _is_cross_encoder(run: SessionRun, about_vectors: Mapping[str, object]) -> bool:
    """Return whether the model is a cross-encoder; raises `UsageError` for an option about vectors."""
    if not run.session.is_cross_encoder():
        return False
    for option, value in about_vectors.items():
        if value not in (None, False):
            raise UsageError(
                f"{option} is for vectors, and a cross-encoder makes none", hint=f"leave out {option}"
            )
    return True


def _check_choice(
    given: GivenTexts, pairs: str | None, top: int | None, plot: str | None, order: str
) -> None:
    """Raise `UsageError` for what does not go with `--pairs`, and what `check_plot` raises."""
    if pairs is None:
        if plot is not None:
            from simil.cli.plots.drawing import check_plot

            check_plot(plot)
        return
    if given.arguments or given.texts or given.files:
        raise UsageError("--pairs brings its own texts", hint="leave the others out")
    if top is not None:
        raise UsageError("--top is for texts that are compared each with each", hint="leave it out")
    if order != "input":
        raise UsageError("--pairs has no matrix to order", hint="leave out --order")
    if plot is not None:
        raise UsageError("--pairs has no matrix to draw", hint="leave out --plot")


def _scored(items: Sequence[Item], run: SessionRun, plot: str | None) -> CrossComparison:
    from simil.tasks.pair_scoring import score_items

    if plot is not None and len(items) == 2:
        raise UsageError(
            "a cross-encoder gives two texts one score, so there is no matrix to draw",
            hint="leave out --plot",
        )
    session = run.session
    return score_items(items, session.scorer, on_error=run.notes.on_error, progress=session.progress)


def _ordered(comparison: AnyComparison, order: str) -> AnyComparison:
    if order == "input" or len(comparison.names) < 3:
        return comparison
    import numpy as np

    from simil.tasks.seriation import cluster_order

    scores = np.array([row for _, row in comparison.rows()])
    return comparison.in_order(cluster_order(scores, is_distance=comparison.is_distance))


class _Display(Frozen):
    """How scores are shown; `files` is what was read if it was files alone, `top` how many pairs to show."""

    form: str
    plot: str | None
    files: Sequence[str] | None
    top: int | None

    def __call__(self, comparison: AnyComparison, stream: BinaryIO, *, quiet: bool) -> None:
        from simil.cli.commands.compare_view import draw_comparison, show_comparison

        if self.plot is not None:  # Before the text, since its reader may close the pipe.
            from simil.cli.plots.drawing import replaces_text

            draw_comparison(self.plot, comparison, self.files)
            quiet = quiet or replaces_text(self.plot, self.form)
        if quiet:
            return
        if self.top is None:
            show_comparison(comparison, self.form, stream)
        else:
            from simil.cli.commands.compare_top_view import show_top_pairs

            show_top_pairs(comparison, self.top, self.form, stream)

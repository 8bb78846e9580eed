"""`simil outliers`: which of these texts are strange?"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Annotated

import typer

from simil.cli.options import types as opt
from simil.cli.options import values
from simil.cli.options.groups import InputFlags, ModelFlags, RunFlags, expanded
from simil.cli.options.plot import PlotTo, Projection
from simil.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import BinaryIO

    import numpy as np
    from numpy.typing import NDArray

    from simil.cli.output.rows import Row
    from simil.session.session import Session
    from simil.tasks.corpus import Corpus
    from simil.tasks.outlier_detection import Outliers
    from simil.texts import ReadOptions

__all__ = ["outliers"]

log = logging.getLogger("simil")

_NEIGHBOURS = 10
# Beyond this, a local outlier factor is the quotient of a distance and none.
_NO_FACTOR = 1e5


@expanded
def outliers(
    files: opt.Files = None,
    count: Annotated[
        int | None,
        typer.Option("-n", "--count", metavar="N", min=1, help="Show the N strangest (default: 10)."),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option("--threshold", metavar="X", help="Show what scores at least X; exit 1 if nothing does."),
    ] = None,
    contamination: Annotated[
        float | None,
        typer.Option("--contamination", metavar="F", help="Show the strangest share F, above 0 to 0.5."),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Show all texts, in the order of the input.")
    ] = False,
    method: Annotated[
        str,
        typer.Option(
            "--method",
            metavar="knn|lof|isolation-forest",
            help="Far from its nearest; farther than these from theirs; or easily parted from the rest.",
        ),
    ] = "knn",
    neighbours: Annotated[
        int | None,
        typer.Option(
            "-k",
            "--neighbours",
            metavar="N",
            min=1,
            help="How many of the nearest count (default: 10; with --reference and knn, 1).",
        ),
    ] = None,
    reference: Annotated[
        str | None,
        typer.Option(
            "--reference", metavar="FILE", help="Score by FILE, which holds what is normal: texts or vectors."
        ),
    ] = None,
    output: opt.Output = None,
    form: opt.Form = None,
    whole: opt.Whole = False,
    *,
    plot: PlotTo = None,
    projection: Projection = "pca",
    model: ModelFlags,
    reading: InputFlags,
    running: RunFlags,
) -> None:
    """Find the texts that are unlike the others, the strangest first, each beside its nearest.

    simil outliers notes.txt · simil outliers --reference normal.log today.log --threshold 0.4
    """
    from simil.cli.options.run import open_run
    from simil.cli.output.output_file import open_output
    from simil.cli.output.rows import form_of
    from simil.cli.plots import takes_the_place
    from simil.cli.plots.maps import check_map, plot_outliers
    from simil.tasks.outlier_detection import OutlierMethod, top_outliers
    from simil.tasks.outlier_detection import outliers as find

    values.check_choice("--method", method, OutlierMethod)
    how = OutlierMethod(method)
    if neighbours is not None and not how.has_neighbours:
        raise UsageError(f"-k has no effect on {how}", hint="leave it out")
    _check_choice(count, threshold, contamination, everything=everything)
    check_map(plot, projection)
    k = neighbours or (1 if reference is not None and how is OutlierMethod.KNN else _NEIGHBOURS)
    options = reading.options(whole=whole)
    shown_as = form_of(form, output)
    with open_run(model, running, on_error=reading.on_error) as run:
        corpus, normal = _corpora(run.session, files or [], reference, options)
        found = find(corpus, normal, method=how, k=k)
        if found.k is not None and found.k < k:
            log.info("-k %d is brought down to %d: there are no more texts", k, found.k)
        if how is OutlierMethod.LOF and (found.scores > _NO_FACTOR).any():
            log.warning(
                "some texts have more than %d equals, which lof cannot judge; raise -k, or use knn", found.k
            )
        if everything:
            import numpy as np

            rows = np.arange(len(corpus))
        else:
            every = count is None and threshold is None and contamination is None
            rows = top_outliers(
                found.scores, count=10 if every else count, threshold=threshold, share=contamination
            )
        # Before the text, whose reader may have seen enough.
        if plot is not None:
            plot_outliers(plot, projection, corpus, found.scores, rows.tolist(), how)
        with open_output(output) as stream:
            if (len(rows) or shown_as != "table") and not takes_the_place(plot, shown_as):
                _show(found, rows, corpus, corpus if normal is None else normal, how, shown_as, stream)
        if not len(rows):
            _tell_of_miss(found, corpus, threshold)
    if not len(rows):
        raise typer.Exit(1)


def _check_choice(
    count: int | None, threshold: float | None, contamination: float | None, *, everything: bool
) -> None:
    given = {
        "-n": count is not None,
        "--threshold": threshold is not None,
        "--contamination": contamination is not None,
        "--all": everything,
    }
    named = [option for option, is_given in given.items() if is_given]
    if len(named) > 1:
        raise UsageError(f"{' and '.join(named)} contradict each other", hint="pass one of them")
    values.check_threshold(threshold)
    if contamination is not None and not 0 < contamination <= 0.5:
        raise UsageError(
            f"--contamination cannot be {contamination:g}", hint="give a share above 0 and up to 0.5"
        )


def _corpora(
    session: Session, files: Sequence[str], reference: str | None, options: ReadOptions
) -> tuple[Corpus, Corpus | None]:
    if reference is None:
        return session.corpus(session.open(files, options)), None
    from simil.session.inputs import Input

    normal, corpus = session.corpora(
        Input([reference], options, "embedding the reference"), Input(files, options)
    )
    return corpus, normal


def _tell_of_miss(found: Outliers, corpus: Corpus, threshold: float | None) -> None:
    from simil.cli.output.cells import fit

    if not len(corpus):
        log.warning("there is no text")
        return
    row = int(found.scores.argmax())
    text = fit(corpus.content(row), 60).rstrip()
    log.warning(
        "nothing reaches %g; the strangest is %.6f at %s: %s",
        threshold, found.scores[row], corpus.place(row), text,
    )  # fmt: skip


def _show(
    found: Outliers,
    rows: NDArray[np.int64],
    corpus: Corpus,
    among: Corpus,
    method: str,
    form: str,
    stream: BinaryIO,
) -> None:
    """Write the texts in `rows`; their nearest stand in `among`."""
    from simil.cli.output.rows import write_rows

    if form == "table":
        _show_table(found, rows.tolist(), corpus, among)
    elif form in ("json", "jsonl"):
        facts = {"method": str(method), **({"k": found.k} if found.k else {}), "model": corpus.model}
        facts |= {"dimensions": int(corpus.vectors.shape[1])} if form == "json" else {}
        write_rows(_objects(found, rows.tolist(), corpus, among), form, stream, facts=facts)
    else:
        plain = ["score", "place", "text", "nearest_score", "nearest_text"]
        columns = ["id", "score", "text", "file", "line", "nearest_id", "nearest_score", "nearest_text"]
        lines = _lines if form == "plain" else _records
        write_rows(
            lines(found, rows.tolist(), corpus, among), form, stream, facts={}, plain=plain, columns=columns
        )


def _lines(found: Outliers, rows: Sequence[int], corpus: Corpus, among: Corpus) -> Iterator[Row]:
    for row in rows:
        yield {
            "score": found.scores[row],
            "place": corpus.place(row),
            "text": corpus.content(row),
            "nearest_score": found.similarities[row],
            "nearest_text": among.content(int(found.nearest[row])),
        }


def _records(found: Outliers, rows: Sequence[int], corpus: Corpus, among: Corpus) -> Iterator[Row]:
    for row in rows:
        text, nearest = corpus.texts[row], among.texts[int(found.nearest[row])]
        record: dict[str, object] = {"id": text.id, "score": found.scores[row], **_content(corpus, row)}
        record["nearest_id"], record["nearest_score"] = nearest.id, found.similarities[row]
        record["nearest_text"] = nearest.text
        if text.fields:
            record["fields"] = text.fields
        yield record


def _objects(found: Outliers, rows: Sequence[int], corpus: Corpus, among: Corpus) -> Iterator[Row]:
    for row in rows:
        text, near = corpus.texts[row], int(found.nearest[row])
        item: dict[str, object] = {"id": text.id, "score": found.scores[row], **_content(corpus, row)}
        nearest = {"id": among.texts[near].id, "score": found.similarities[row]}
        item["nearest"] = nearest | _content(among, near)
        if text.fields:
            item["fields"] = text.fields
        yield item


def _content(corpus: Corpus, row: int) -> dict[str, object]:
    from simil.cli.output.rows import source_cells

    text = corpus.texts[row]
    return {"text": text.text, **source_cells(text, saved=corpus.saved)}


def _show_table(found: Outliers, rows: Sequence[int], corpus: Corpus, among: Corpus) -> None:
    """Print two lines a text: its score, a bar and it, then its nearest, dim, under it."""
    from simil.cli.output.cells import end_of, fit, one_line
    from simil.cli.output.output_file import width
    from simil.cli.output.terminal import console, escaped, meter, meter_columns

    terminal = console()
    places = {row: (corpus.place(row), among.place(int(found.nearest[row]))) for row in rows}
    longest = max(len(one_line(place)) for pair in places.values() for place in pair)
    label = min(longest, max(width() // 4, 8))
    # How full a bar is tells no more than the order: of lof and the forest there is no largest score.
    highest = max(float(found.scores[rows].max()), 1e-9)
    digits = max(len(f"{found.scores[row]:.4f}") for row in rows)
    room = max(width() - digits - 2 - meter_columns() - label - 2, 4)
    for row in rows:
        place, near_place = (end_of(name, label) for name in places[row])
        drawn = meter(terminal, float(found.scores[row]) / highest)
        text = escaped(fit(corpus.content(row), room).rstrip())
        near = escaped(fit(among.content(int(found.nearest[row])), room).rstrip())
        score = f"{found.scores[row]:>{digits}.4f}"
        terminal.print(f"[bold]{score}[/bold]  {drawn}{escaped(place)}  {text}", highlight=False)
        alike = f"{found.similarities[row]:>{digits}.4f}"
        middle = "nearest".ljust(meter_columns()) if meter_columns() else ""
        terminal.print(f"[dim]{alike}  {middle}{escaped(near_place)}  {near}[/dim]", highlight=False)

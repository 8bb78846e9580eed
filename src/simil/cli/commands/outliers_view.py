"""Shows outliers, each with the text nearest to it: plain lines, rows, a table, or a scatter plot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, BinaryIO

from simil.cli.output.annotated_rows import write_texts
from simil.cli.output.cells import end_of, fit, visible
from simil.cli.output.output_file import width
from simil.cli.output.rows import Row, fewer_digits, source_cells, write_rows
from simil.cli.output.terminal import console, escaped, meter, meter_columns
from simil.tasks.corpus import arranged, content_of, place_of, texts_at

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from simil.tasks.corpus import Corpus
    from simil.tasks.outlier_detection import Outliers
    from simil.texts import Text

__all__ = ["draw_outliers", "show_outliers", "write_outliers"]


def show_outliers(
    found: Outliers,
    rows: NDArray[np.int64],
    corpus: Corpus,
    among: Corpus,
    method: str,
    form: str,
    stream: BinaryIO,
) -> None:
    """Write the texts in `rows` in `form`; `among` holds the texts nearest to them."""
    if form == "table":
        _show_table(found, rows.tolist(), corpus, among)
    elif form == "json":
        facts = {"method": str(method), **({"k": found.k} if found.k else {}), "model": corpus.model}
        facts |= {"dimensions": int(corpus.vectors.shape[1])}
        write_rows(_objects(found, rows.tolist(), corpus, among), form, stream, facts=facts)
    else:
        write_rows(_lines(found, rows.tolist(), corpus, among), form, stream, facts={})


def write_outliers(
    found: Outliers,
    order: NDArray[np.int64] | None,
    corpus: Corpus,
    among: Corpus,
    form: str,
    stream: BinaryIO,
    *,
    every: bool,
) -> None:
    """Write rows of the input with their scores, in a form that keeps rows; see `arranged`."""
    columns = ["score", "nearest_id", "nearest_score", "nearest_text"]
    rows = _annotated(found, order, corpus, among, every=every)
    write_texts(rows, form, stream, corpus=corpus, columns=columns)


def draw_outliers(
    path: str,
    projection: str,
    corpus: Corpus,
    files: Sequence[str],
    scores: NDArray[np.float32],
    marked: Sequence[int],
    method: str,
) -> None:
    """Draw the texts of `files`, those with higher scores larger, and label those that are `marked`."""
    from simil.cli.plots.charts import chart_title, scatter_plot
    from simil.cli.plots.drawing import draw
    from simil.tasks.projection import project

    flat = project(corpus.vectors, projection)
    chart = scatter_plot(
        flat.points,
        [corpus.content(row) for row in range(len(corpus))],
        scores=scores,
        marked=marked,
        title=chart_title("Outliers in", files),
        model=corpus.model,
        method=f"{method}, {flat.method}",
        note="size and colour show the score; distance on the map does not",
    )
    draw(path, chart)


def _lines(found: Outliers, rows: Sequence[int], corpus: Corpus, among: Corpus) -> Iterator[Row]:
    for row, text, nearest in _texts(found, rows, corpus, among):
        yield {
            "score": found.scores[row],
            "place": place_of(text, saved=corpus.saved),
            "text": content_of(text),
            "nearest_score": found.similarities[row],
            "nearest_text": content_of(nearest),
        }


def _annotated(
    found: Outliers, order: NDArray[np.int64] | None, corpus: Corpus, among: Corpus, *, every: bool
) -> Iterator[tuple[Text, Row]]:
    nearest = texts_at(among.texts, found.nearest if order is None else found.nearest[order])
    for row, text in arranged(corpus, order, every=every):
        if row is None:
            yield text, {}
            continue
        near = next(nearest)
        yield (
            text,
            {
                "score": found.scores[row],
                "nearest_id": near.id,
                "nearest_score": found.similarities[row],
                "nearest_text": near.text or None,
            },
        )


def _objects(found: Outliers, rows: Sequence[int], corpus: Corpus, among: Corpus) -> Iterator[Row]:
    for row, text, near in _texts(found, rows, corpus, among):
        item: dict[str, object] = {"id": text.id, "score": found.scores[row], **_content(corpus, text)}
        nearest = {"id": near.id, "score": found.similarities[row]}
        item["nearest"] = nearest | _content(among, near)
        if text.fields:
            item["fields"] = text.fields
        yield item


def _texts(
    found: Outliers, rows: Sequence[int], corpus: Corpus, among: Corpus
) -> Iterator[tuple[int, Text, Text]]:
    """Yield rows, each with its text and the text nearest to it."""
    import numpy as np

    numbers = np.array(rows, np.int64)
    yield from zip(
        rows, texts_at(corpus.texts, numbers), texts_at(among.texts, found.nearest[numbers]), strict=True
    )


def _content(corpus: Corpus, text: Text) -> dict[str, object]:
    return {"text": text.text, **source_cells(text, saved=corpus.saved)}


def _show_table(found: Outliers, rows: Sequence[int], corpus: Corpus, among: Corpus) -> None:
    """Print two lines per text: its score, a bar and the text, then, dimmed, the text nearest to it."""
    terminal = console()
    places = {row: (corpus.place(row), among.place(int(found.nearest[row]))) for row in rows}
    longest = max(len(visible(place)) for pair in places.values() for place in pair)
    label = min(longest, max(width() // 4, 8))
    # Bars only show the order: scores of lof and the isolation forest have no upper limit.
    highest = max(float(found.scores[rows].max()), 1e-9)
    digits = max(len(fewer_digits(found.scores[row])) for row in rows)
    room = max(width() - digits - 2 - meter_columns() - label - 2, 4)
    for row in rows:
        place, near_place = (end_of(name, label) for name in places[row])
        drawn = meter(terminal, float(found.scores[row]) / highest)
        text = escaped(fit(corpus.content(row), room).rstrip())
        near = escaped(fit(among.content(int(found.nearest[row])), room).rstrip())
        score = fewer_digits(found.scores[row]).rjust(digits)
        terminal.print(f"[bold]{score}[/bold]  {drawn}{escaped(place)}  {text}", highlight=False)
        alike = fewer_digits(found.similarities[row]).rjust(digits)
        middle = "nearest".ljust(meter_columns()) if meter_columns() else ""
        terminal.print(f"[dim]{alike}  {middle}{escaped(near_place)}  {near}[/dim]", highlight=False)

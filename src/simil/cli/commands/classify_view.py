"""Shows predicted labels and how right they are: plain lines, rows, or coloured tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, BinaryIO

from simil.cli.output.annotated_rows import write_texts
from simil.cli.output.cells import fit, one_line
from simil.cli.output.output_file import width
from simil.cli.output.rows import Row, digits, fewer_digits, json_of, source_cells, table_row, write_rows
from simil.cli.output.terminal import bar, console, escaped, sign
from simil.tasks.classification import Classification, Prediction
from simil.tasks.corpus import Corpus, arranged, content_of
from simil.texts import Text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from rich.console import Console

    from simil.tasks.evaluation.classification_report import Evaluation

__all__ = ["show_evaluation", "show_predictions"]

_BAR, _SHORT_BAR, _NARROW = 10, 4, 60
# Of the evaluation: the columns of a bar and of a number, and the corner of the confusion matrix.
_LONG_BAR, _CELL, _CORNER = 20, 7, "true/given"
# Distinct on dark and light backgrounds; more labels start over.
_COLOURS = ("cyan", "magenta", "green", "yellow", "blue", "red")


def show_predictions(
    corpus: Corpus, classified: Classification, form: str, stream: BinaryIO, *, top: int | None, sort: bool
) -> None:
    """Write the labels of each text in `form`, in the order of the texts, with `sort` by label.

    With `top`, a text has one line per label, and in json and jsonl a list "labels".
    """
    order = classified.by_label() if sort else None
    predictions = _Predictions(corpus, classified, order, top or 1)
    if form == "table":
        _show_table(predictions, corpus.model, classified)
    elif form == "plain":
        write_rows(_lines(predictions), form, stream, facts={})
    elif form == "json":
        facts = {"method": classified.method, "model": corpus.model}
        write_rows(
            _objects(predictions, saved=corpus.saved, listed=top is not None), form, stream, facts=facts
        )
    else:
        more = [] if top is None else ["labels" if form == "jsonl" else "rank"]
        rows = _annotated(predictions, listed=form == "jsonl")
        write_texts(rows, form, stream, corpus=corpus, columns=["label", "score", "margin", *more])


class _Predictions(Iterable[tuple[Text, Sequence[Prediction]]]):
    """Texts with up to `top` labels, none for a blank text; made anew whenever they are gone through."""

    def __init__(
        self, corpus: Corpus, classified: Classification, order: NDArray[np.int64] | None, top: int
    ) -> None:
        found = classified if order is None else classified.at(order)
        self._ranked = (found.ranked_in_parts if corpus.is_on_demand else found.ranked)(top)
        self._corpus = corpus
        self._order = order

    def __iter__(self) -> Iterator[tuple[Text, Sequence[Prediction]]]:
        ranked = iter(self._ranked)
        for row, text in arranged(self._corpus, self._order):
            yield text, () if row is None else next(ranked)


def _lines(predictions: _Predictions) -> Iterator[Row]:
    for text, best in predictions:
        for one in best:
            yield {**_cells(one), "text": content_of(text)}


def _annotated(predictions: _Predictions, *, listed: bool) -> Iterator[tuple[Text, Row]]:
    for text, best in predictions:
        if not best:
            yield text, {}
        elif listed:
            yield text, _cells(best[0]) | {"labels": _listed(best)}
        else:
            for rank, one in enumerate(best, 1):
                yield text, {**_cells(one), "rank": rank}


def _objects(predictions: _Predictions, *, saved: bool, listed: bool) -> Iterator[Row]:
    for text, best in predictions:
        found = {"id": text.id, **_cells(best[0]), **({"labels": _listed(best)} if listed else {})}
        found |= {"text": text.text or None, **source_cells(text, saved=saved)}
        yield found | ({"fields": text.fields} if text.fields else {})


def _cells(one: Prediction) -> dict[str, object]:
    return {"label": one.label, "score": one.score, "margin": one.margin}


def _listed(best: Sequence[Prediction]) -> list[Row]:
    return [{"label": one.label, "score": one.score} for one in best]


def _columns_of(label: str) -> int:
    """Return the width of a label on a terminal."""
    from rich.cells import cell_len

    return cell_len(one_line(label))


def _colour_of(labels: Sequence[str]) -> dict[str, str]:
    """Return the colour of each label."""
    return {label: _COLOURS[number % len(_COLOURS)] for number, label in enumerate(labels)}


def _show_table(predictions: _Predictions, model: str | None, classified: Classification) -> None:
    terminal = console()
    colours = _colour_of(classified.labels)
    widths = [_columns_of(one.label) for _, best in predictions for one in best]
    label = min(max(widths, default=0), max(width() // 4, 8))
    meter = _BAR if width() >= _NARROW else _SHORT_BAR
    room = max(width() - label - meter - 12, 4)
    for text, best in predictions:
        for rank, prediction in enumerate(best):
            score = float(prediction.score)
            name = f"[{colours.get(prediction.label, 'dim')}]{escaped(fit(prediction.label, label))}[/]"
            shown = "" if rank else "  " + escaped(fit(content_of(text), room).rstrip())
            terminal.print(
                f"{name}  {fewer_digits(score):>7} {bar(terminal, score, meter)}{shown}", highlight=False
            )
    if widths:
        sign(terminal, classified.method, model)


# The evaluation: the scores, then each label, then which labels were taken for which.


def show_evaluation(
    found: Evaluation, form: str, stream: BinaryIO, *, method: str, model: str | None
) -> None:
    """Write the evaluation in `form`.

    Plain lines have three parts with an empty line between them. Csv and tsv have one row per true label,
    with columns "as LABEL" that count how often each label was predicted for it.
    """
    if form == "table":
        _report_table(found, method, model)
    elif form == "plain":
        stream.writelines(_report_lines(found))
        stream.flush()
    elif form in ("json", "jsonl"):
        stream.write(json_of({"method": method, "model": model, **_report(found)}) + b"\n")
        stream.flush()
    else:
        write_rows(_report_rows(found), form, stream, facts={})


def _report_lines(found: Evaluation) -> Iterator[bytes]:
    yield table_row(["accuracy", digits(found.accuracy)], "\t")
    yield table_row(["macro F1", digits(found.macro_f1)], "\t")
    yield table_row(["texts", str(found.count)], "\t")
    yield b"\n"
    yield table_row(["label", "precision", "recall", "F1", "support"], "\t")
    for one in found.labels:
        scores = [digits(score) for score in (one.precision, one.recall, one.f1)]
        yield table_row([one.label, *scores, str(one.support)], "\t")
    yield b"\n"
    yield table_row([_CORNER, *found.names], "\t")
    for name, counts in zip(found.names, found.confusion.tolist(), strict=True):
        yield table_row([name, *map(str, counts)], "\t")


def _report(found: Evaluation) -> Row:
    return {
        "texts": found.count,
        "accuracy": found.accuracy,
        "macro_f1": found.macro_f1,
        "labels": [
            {
                "label": one.label,
                "precision": one.precision,
                "recall": one.recall,
                "f1": one.f1,
                "support": one.support,
            }
            for one in found.labels
        ],
        "confusion": {"labels": [*found.names], "counts": found.confusion.tolist()},
    }


def _report_rows(found: Evaluation) -> Iterator[Row]:
    scores = {one.label: one for one in found.labels}
    for name, counts in zip(found.names, found.confusion.tolist(), strict=True):
        one = scores.get(name)
        row: dict[str, object] = {
            "label": name,
            "precision": one.precision if one else None,
            "recall": one.recall if one else None,
            "f1": one.f1 if one else None,
            "support": one.support if one else 0,
        }
        yield row | {f"as {given}": count for given, count in zip(found.names, counts, strict=True)}


def _report_table(found: Evaluation, method: str, model: str | None) -> None:
    terminal = console()
    meter = max(min(width() - 20, _LONG_BAR), 4)
    for name, score in (("accuracy", float(found.accuracy)), ("macro F1", float(found.macro_f1))):
        terminal.print(f"{name}  [bold]{score:.4f}[/bold]  {bar(terminal, score, meter)}", highlight=False)
    terminal.print()
    many = len(str(len(found.names)))
    label = min(max(map(_columns_of, found.names)), max(width() - 4 * _CELL, 8))
    heads = "".join(f"{head:>{_CELL}}" for head in ("prec.", "recall", "F1", "texts"))
    terminal.print(" " * label + heads, style="dim", highlight=False)
    for one in found.labels:
        scores = "".join(f"{score:{_CELL}.3f}" for score in (one.precision, one.recall, one.f1))
        terminal.print(f"{escaped(fit(one.label, label))}{scores}{one.support:{_CELL}}", highlight=False)
    terminal.print()
    _show_confusion(terminal, found, many)
    count = "1 text" if found.count == 1 else f"{found.count} texts"
    sign(terminal, f"{count}, {method}", model)


def _show_confusion(terminal: Console, found: Evaluation, many: int) -> None:
    """Print one row per true label, in blocks of columns that fit the terminal."""
    count = len(found.names)
    cell = max(len(str(found.confusion.max())), many) + 1
    widest = max(map(_columns_of, found.names)) + many + 1
    label = min(max(widest, len(_CORNER)), max(width() // 3, 12))
    columns = max((width() - label) // cell, 1)
    for start in range(0, count, columns):
        stop = min(start + columns, count)
        if start:
            terminal.print()
        head = fit(_CORNER, label) + "".join(f"{place:>{cell}}" for place in range(start + 1, stop + 1))
        terminal.print(head, style="dim", markup=False, highlight=False)
        for row, counts in enumerate(found.confusion.tolist()):
            name = fit(f"{row + 1:>{many}} {found.names[row]}", label)
            cells = "".join(
                _counted(counts[column], cell, right=column == row) for column in range(start, stop)
            )
            terminal.print(escaped(name) + cells, highlight=False)


def _counted(number: int, cell: int, *, right: bool) -> str:
    if not number:
        return f"[dim]{'·':>{cell}}[/dim]"
    return f"[{'green' if right else 'red'}]{number:>{cell}}[/]"

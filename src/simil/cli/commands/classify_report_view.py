"""How right labels were: the scores first, then each label, then what was taken for what."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

from simil.cli.commands.classify_view import columns_of
from simil.cli.output.cells import fit
from simil.cli.output.output_file import width
from simil.cli.output.rows import Row, digits, json_of, table_row, write_rows
from simil.cli.output.terminal import bar, console, escaped, sign

if TYPE_CHECKING:
    from rich.console import Console

    from simil.tasks.evaluation.classification_report import Evaluation

__all__ = ["show_evaluation"]

_BAR = 20
_CELL = 7
_CORNER = "true/given"


def show_evaluation(
    found: Evaluation, form: str, stream: BinaryIO, *, method: str, model: str | None
) -> None:
    """Write the evaluation in `form`.

    Plain lines are three parts with an empty line between them. A table of csv or tsv has a row a true
    label, and how often each label was given to it in columns "as LABEL".
    """
    if form == "table":
        _show_table(found, method, model)
    elif form == "plain":
        stream.writelines(_plain(found))
        stream.flush()
    elif form in ("json", "jsonl"):
        stream.write(json_of({"method": method, "model": model, **_object(found)}) + b"\n")
        stream.flush()
    else:
        write_rows(_rows(found), form, stream, facts={})


def _plain(found: Evaluation) -> Iterator[bytes]:
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


def _object(found: Evaluation) -> Row:
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


def _rows(found: Evaluation) -> Iterator[Row]:
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


def _show_table(found: Evaluation, method: str, model: str | None) -> None:
    terminal = console()
    meter = max(min(width() - 20, _BAR), 4)
    for name, score in (("accuracy", float(found.accuracy)), ("macro F1", float(found.macro_f1))):
        terminal.print(f"{name}  [bold]{score:.4f}[/bold]  {bar(terminal, score, meter)}", highlight=False)
    terminal.print()
    many = len(str(len(found.names)))
    label = min(max(map(columns_of, found.names)), max(width() - 4 * _CELL, 8))
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
    """Print a row a true label, in blocks of as many columns as the terminal is wide."""
    count = len(found.names)
    cell = max(len(str(found.confusion.max())), many) + 1
    widest = max(map(columns_of, found.names)) + many + 1
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

"""The labels that texts get: lines for a pipe, rows for a machine, a coloured table for a person."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, BinaryIO

from simil.cli.output.cells import fit, one_line
from simil.cli.output.output_file import width
from simil.cli.output.rows import Row, source_cells, write_rows
from simil.cli.output.terminal import bar, console, escaped, sign

if TYPE_CHECKING:
    from simil.tasks.classification import Classification, Prediction
    from simil.tasks.corpus import Corpus

__all__ = ["columns_of", "show_verdicts"]

_PLAIN = ("label", "score", "margin", "text")
_COLUMNS = ("id", "label", "score", "margin", "text", "file", "line")
_BAR, _SHORT_BAR, _NARROW = 10, 4, 60
# Told apart on dark and light backgrounds; after the last they begin again.
_COLOURS = ("cyan", "magenta", "green", "yellow", "blue", "red")


def show_verdicts(
    corpus: Corpus,
    classified: Classification,
    verdicts: Sequence[Sequence[Prediction]],
    form: str,
    stream: BinaryIO,
    *,
    top: int | None,
) -> None:
    """Write the verdicts of each text, in the order of the texts, in `form`.

    Where `top` was asked for, a text has a line for each of them, and in json and jsonl a list "labels".
    """
    if form == "table":
        _show_table(corpus, classified, verdicts)
    elif form in ("json", "jsonl"):
        facts = {"method": classified.method, "model": corpus.model}
        write_rows(_objects(corpus, verdicts, listed=top is not None), form, stream, facts=facts)
    else:
        columns = (*_COLUMNS[:1], "rank", *_COLUMNS[1:]) if top is not None else _COLUMNS
        rows = _lines(corpus, verdicts, form, ranked=top is not None)
        write_rows(rows, form, stream, facts={}, plain=_PLAIN, columns=columns)


def _objects(corpus: Corpus, verdicts: Sequence[Sequence[Prediction]], *, listed: bool) -> Iterator[Row]:
    for row, best in enumerate(verdicts):
        given = {"labels": [{"label": one.label, "score": one.score} for one in best]} if listed else {}
        yield _row(corpus, row, best[0], given, corpus.texts[row].text or None)


def _lines(
    corpus: Corpus, verdicts: Sequence[Sequence[Prediction]], form: str, *, ranked: bool
) -> Iterator[Row]:
    for row, best in enumerate(verdicts):
        text = corpus.content(row) if form == "plain" else corpus.texts[row].text
        for rank, verdict in enumerate(best, 1):
            yield _row(corpus, row, verdict, {"rank": rank} if ranked else {}, text)


def _row(corpus: Corpus, row: int, verdict: Prediction, more: Row, text: str | None) -> Row:
    source = corpus.texts[row]
    made: dict[str, object] = {"id": source.id}
    if "rank" in more:
        made["rank"] = more["rank"]
    made |= {"label": verdict.label, "score": verdict.score, "margin": verdict.margin}
    if "labels" in more:
        made["labels"] = more["labels"]
    made |= {"text": text, **source_cells(source, saved=corpus.saved)}
    return made | ({"fields": source.fields} if source.fields else {})


def columns_of(label: str) -> int:
    """Return how many columns of a terminal a label takes."""
    from rich.cells import cell_len

    return cell_len(one_line(label))


def _colour_of(labels: Sequence[str]) -> dict[str, str]:
    """Return the colour that each label is shown in."""
    return {label: _COLOURS[number % len(_COLOURS)] for number, label in enumerate(labels)}


def _show_table(corpus: Corpus, classified: Classification, verdicts: Sequence[Sequence[Prediction]]) -> None:
    terminal = console()
    colours = _colour_of(classified.labels)
    widest = max((columns_of(one.label) for best in verdicts for one in best), default=0)
    label = min(widest, max(width() // 4, 8))
    meter = _BAR if width() >= _NARROW else _SHORT_BAR
    room = max(width() - label - meter - 12, 4)
    for row, best in enumerate(verdicts):
        for rank, verdict in enumerate(best):
            score = float(verdict.score)
            name = f"[{colours.get(verdict.label, 'dim')}]{escaped(fit(verdict.label, label))}[/]"
            text = "" if rank else "  " + escaped(fit(corpus.content(row), room).rstrip())
            terminal.print(f"{name}  {score:7.4f} {bar(terminal, score, meter)}{text}", highlight=False)
    if verdicts:
        sign(terminal, classified.method, corpus.model)

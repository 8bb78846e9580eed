"""Results as rows: lines for a pipe, a table with names in csv and tsv, objects in json and jsonl."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from simil.cli.options.values import check_choice
from simil.cli.output.cells import tsv_cell
from simil.cli.output.output_file import is_terminal
from simil.errors import UsageError

if TYPE_CHECKING:
    import numpy as np

    from simil.texts import Text

__all__ = [
    "FORMS",
    "Row",
    "cell",
    "digits",
    "flat",
    "form_of",
    "json_of",
    "source_cells",
    "table_row",
    "write_rows",
]

FORMS = ("json", "jsonl", "csv", "tsv")
_SUFFIXES = {
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
    ".txt": "plain",
}

# A cell is a string, a number, None, or what JSON can hold; scores are numbers of NumPy. The key "fields"
# holds the other columns of a text's record: columns of their own in a table, one object in JSON.
Row = Mapping[str, object]


def form_of(name: str | None, output: Path | None) -> str:
    """Return the form that `--format` names, or else the one that the place of the output asks for.

    That is "table" on a terminal, "plain" on a pipe, and by the suffix of a file. Raises `UsageError`
    for one that is not known.
    """
    if name is not None:
        check_choice("--format", name, FORMS)
        return name
    if output is not None:
        suffix = output.suffix.lower()
        if suffix not in _SUFFIXES:
            known = ", ".join(_SUFFIXES)
            raise UsageError(
                f"{output} has no suffix that names a form ({known})", hint="use one, or --format"
            )
        return _SUFFIXES[suffix]
    return "table" if is_terminal() else "plain"


def source_cells(text: Text, *, saved: bool) -> dict[str, object]:
    """Return the cells that say where `text` comes from; a saved vector has no line there."""
    return {"file": text.origin.source, "line": None if saved else text.origin.line}


def write_rows(
    rows: Iterable[Row],
    form: str,
    stream: BinaryIO,
    *,
    facts: Mapping[str, object],
    plain: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
) -> None:
    """Write rows to `stream`: "plain", "tsv", "csv", "jsonl" or "json".

    `facts` hold for all rows: keys of the one object of json, and of each line of jsonl. `plain` names
    the columns of plain lines (default: all but "fields"); `columns` the header of tsv and csv where
    there may be no rows.
    """
    stream.writelines(_WRITERS[form](rows, facts, plain, columns))
    stream.flush()


_Names = Sequence[str] | None


def _plain(rows: Iterable[Row], facts: Row, plain: _Names, columns: _Names) -> Iterator[bytes]:
    for row in rows:
        names = plain or [name for name in row if name != "fields"]
        yield table_row([cell(row.get(name)) for name in names], "\t")


def _tsv(rows: Iterable[Row], facts: Row, plain: _Names, columns: _Names) -> Iterator[bytes]:
    return _table(rows, "\t", columns)


def _csv(rows: Iterable[Row], facts: Row, plain: _Names, columns: _Names) -> Iterator[bytes]:
    return _table(rows, ",", columns)


def _table(rows: Iterable[Row], separator: str, columns: _Names) -> Iterator[bytes]:
    every = [flat(row) for row in rows]
    # Records of JSON Lines need not have the same keys.
    names = list(dict.fromkeys(chain.from_iterable(every))) or list(columns or ())
    if names:
        yield table_row(names, separator)
    for row in every:
        yield table_row([cell(row.get(name)) for name in names], separator)


def flat(row: Row) -> dict[str, object]:
    """Return the row with its other fields beside it; one whose name is taken gets an underscore."""
    beside = {name: value for name, value in row.items() if name != "fields"}
    others = row.get("fields")
    if isinstance(others, Mapping):
        for name, value in others.items():
            free = name
            while free in beside:
                free += "_"
            beside[free] = value
    return beside


def _jsonl(rows: Iterable[Row], facts: Row, plain: _Names, columns: _Names) -> Iterator[bytes]:
    for row in rows:
        yield json_of({**row, **facts}) + b"\n"


def _json(rows: Iterable[Row], facts: Row, plain: _Names, columns: _Names) -> Iterator[bytes]:
    head = json_of(dict(facts))[:-1]
    yield head + (b',"data":[' if facts else b'"data":[')
    for number, row in enumerate(rows):
        yield (b",\n" if number else b"\n") + json_of(row)
    yield b"\n]}\n"


_WRITERS = {"plain": _plain, "tsv": _tsv, "csv": _csv, "jsonl": _jsonl, "json": _json}


def table_row(cells: Sequence[str], separator: str) -> bytes:
    """Return a line of csv, or of tsv with tabs and line ends in cells escaped."""
    if separator == "\t":
        return ("\t".join(map(tsv_cell, cells)) + "\n").encode()
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue().encode()


def cell(value: object) -> str:
    """Return a value as a cell shows it: nothing for None, six decimals for a score, else JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if type(value) in (bool, int, float):  # Not NumPy's, which need not be loaded to tell.
        return json_of(value).decode()
    import numpy as np

    if isinstance(value, np.floating):
        return digits(value)
    return json_of(value).decode()


def digits(score: float | np.floating[Any], decimals: int = 6) -> str:
    """Return a score as lines of text show it; nothing for nan, the score of a text that failed."""
    return "" if isnan(score) else f"{score:.{decimals}f}"


def json_of(value: object) -> bytes:
    """Return JSON; numbers of NumPy keep their shortest digits."""
    import orjson

    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)

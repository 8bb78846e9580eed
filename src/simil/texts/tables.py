"""Tables: rows of cells become records by the names in the header."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from simil.errors import InputError, Place
from simil.formats.delimited import TableRow, csv_rows, tsv_rows
from simil.formats.lines import lines
from simil.texts.records import Record

__all__ = ["Table", "csv_table", "tsv_table"]


@dataclass(frozen=True, slots=True)
class Table:
    """The columns, the place that names them, and the rows as records that map column to cell.

    A table without any row, header or not, has no columns.
    """

    columns: tuple[str, ...]
    place: Place
    records: Iterator[Record | InputError]


def csv_table(chunks: Iterator[bytes], name: str, *, header: bool) -> Table:
    """A table after RFC 4180; without `header` its columns are "1", "2", and so on.

    Raises InputError if the header cannot be read or names a column twice. A row that cannot be read,
    or has too many or too few cells, is an error among the records.
    """
    return _table(csv_rows(lines(chunks), name), name, header=header, hint="quote a cell that holds a comma")


def tsv_table(chunks: Iterator[bytes], name: str, *, header: bool) -> Table:
    """A table as `csv_table` gives it, of lines split at each tab; nothing is quoted or escaped."""
    hint = "a cell cannot hold a tab or a line break; CSV can"
    return _table(tsv_rows(lines(chunks), name), name, header=header, hint=hint)


def _table(rows: Iterator[TableRow | InputError], name: str, *, header: bool, hint: str) -> Table:
    early: list[TableRow | InputError] = []
    for row in rows:
        if isinstance(row, TableRow) and row.cells:
            break
        if header and isinstance(row, InputError):
            raise row
        early.append(row)
    else:
        return Table((), Place(name), _records((), iter(early), name, ""))
    place = Place(name, row.line)
    if header:
        columns = tuple(row.cells)
        _refuse_twins(columns, place)
    else:
        columns = tuple(str(number) for number in range(1, len(row.cells) + 1))
        early.append(row)
    return Table(columns, place, _records(columns, chain(early, rows), name, hint))


def _records(
    columns: tuple[str, ...], rows: Iterator[TableRow | InputError], name: str, hint: str
) -> Iterator[Record | InputError]:
    width = len(columns)
    for row in rows:
        if isinstance(row, InputError):
            yield row
            continue
        place = Place(name, row.line)
        if not row.cells:
            yield Record(place, None)
        elif len(row.cells) == width:
            yield Record(place, dict(zip(columns, row.cells, strict=True)))
        else:
            cells = "1 cell" if len(row.cells) == 1 else f"{len(row.cells)} cells"
            yield InputError(f"the row has {cells}, the table {width} columns", hint=hint, place=place)


def _refuse_twins(columns: tuple[str, ...], place: Place) -> None:
    seen: set[str] = set()
    for column in columns:
        if column in seen:
            raise InputError(
                f"two columns are named {column!r}", hint="rename one of them in the header", place=place
            )
        seen.add(column)

"""Tables: rows of cells become records by the names in the header, and records become rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain

from simil.errors import InputError, Place
from simil.formats.delimited import Delimited, TableRow, delimited_lines
from simil.formats.encoding import without_bom
from simil.formats.lines import lines
from simil.formats.record_stream import Record, RecordStream

__all__ = ["rows_of", "table_lines", "table_records"]


def rows_of(form: Delimited, chunks: Iterator[bytes], name: str) -> Iterator[TableRow | InputError]:
    """The rows of a source, header included; an error stands for one that cannot be read."""
    return form.rows(lines(without_bom(chunks, name)), name)


def table_records(form: Delimited, chunks: Iterator[bytes], name: str, *, header: bool) -> RecordStream:
    """The rows below the header as mappings of column to cell; the header is read at once.

    Without `header` the columns are "1", "2", and so on. A table without any row has no columns. Raises
    InputError if the header cannot be read or names a column twice. A row that cannot be read, or has too
    many or too few cells, is an error among the records.
    """
    rows = rows_of(form, chunks, name)
    early: list[TableRow | InputError] = []
    for row in rows:
        if isinstance(row, TableRow) and row.cells:
            break
        if header and isinstance(row, InputError):
            raise row
        early.append(row)
    else:
        return RecordStream(_records((), iter(early), name, ""), Place(name), ())
    place = Place(name, row.line)
    if header:
        columns = tuple(row.cells)
        _refuse_twins(columns, place)
    else:
        columns = tuple(str(number) for number in range(1, len(row.cells) + 1))
        early.append(row)
    return RecordStream(_records(columns, chain(early, rows), name, form.hint), place, columns)


def table_lines(
    form: Delimited, rows: Iterable[Mapping[str, str]], columns: Sequence[str] = ()
) -> Iterator[bytes]:
    """The lines of a table with a header; a row without a column has an empty cell there.

    The columns are those of all rows, which need not have the same ones; `columns` where there are none.
    """
    every = [*rows]
    names = list(dict.fromkeys(chain.from_iterable(every))) or list(columns)
    cells = ([row.get(name, "") for name in names] for row in every)
    return delimited_lines(form, chain([names] if names else [], cells))


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

"""Tables: rows of cells become records by the names in the header, and records become rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any

from simil.errors import InputError, Place
from simil.formats.delimited import TSV, Delimited, RowStream, TableRow, delimited_lines
from simil.formats.encoding import Utf8Chunks
from simil.formats.lines import lines
from simil.formats.passthrough import Frame
from simil.formats.record_stream import FormatOptions, Record, RecordStream
from simil.formats.separators import COMMA, OTHERS

__all__ = [
    "AlikeRows",
    "apart",
    "fitted_cells",
    "has_name",
    "is_twin",
    "numbered",
    "own_name",
    "rows_of",
    "table_lines",
    "table_records",
]

_DEFAULTS = FormatOptions()
_DIGITS = 10  # more than numbers of columns have


def rows_of(
    form: Delimited, chunks: Iterator[bytes], name: str, options: FormatOptions = _DEFAULTS
) -> RowStream:
    """The rows of a source, header included; what separates the cells is settled at once.

    Raises InputError if that is unclear.
    """
    decoded = Utf8Chunks(chunks, options.encoding)
    every = lines(decoded, name, limit=options.text_limit)
    return form.rows(
        every, name, separator=options.delimiter, encoding=decoded.encoding, limit=options.text_limit
    )


def table_records(
    form: Delimited, chunks: Iterator[bytes], name: str, options: FormatOptions = _DEFAULTS
) -> RecordStream:
    """The rows below the header as mappings of column to cell; the header is read at once.

    Without a header the columns are "1", "2", and so on. A table without any row has no columns. Raises
    InputError if the header cannot be read. A row that cannot be read, or has too many or too few cells, is
    an error among the records; empty cells beyond the columns are no cells.
    """
    stream = rows_of(form, chunks, name, options)
    rows, hint, head = stream.rows, stream.hint, stream.head
    early: list[TableRow | InputError] = []
    for row in rows:
        if isinstance(row, TableRow) and row.cells:
            break
        if options.header and isinstance(row, InputError):
            raise row
        early.append(row)
    else:
        return RecordStream(_records((), iter(early), name, ""), Place(name), (), Frame(head=head))
    place = Place(name, row.line)
    if options.header:
        _check_header(row.cells, stream.separator, options, place)
        columns = apart(row.cells)
        head += b"".join(line.raw for line in (*early, row) if isinstance(line, TableRow))
    else:
        columns = tuple(str(number) for number in range(1, len(row.cells) + 1))
        early.append(row)
    frame = Frame(head=head, kind=(stream.separator, columns), columns=columns)
    return RecordStream(_records(columns, chain(early, rows), name, hint), place, columns, frame)


def _check_header(names: Sequence[str], separator: str, options: FormatOptions, place: Place) -> None:
    """Raise InputError if a table called TSV has one column, whose name holds another usual separator.

    Whole rows would be taken for texts.
    """
    if len(names) > 1 or separator != TSV.separator or options.delimiter is not None:
        return
    found = [mark for mark in (COMMA, *OTHERS) if mark in names[0]]
    if found:
        raise InputError(
            f"the header is one column, {names[0]!r}, whose name holds {found[0]!r}",
            hint=f"say what separates the columns: --delimiter '{found[0]}', or --delimiter tab if it is one",
            place=place,
        )


def apart(names: Sequence[str]) -> tuple[str, ...]:
    """The names of columns, those that several have followed by the column's number, as in `note#3`.

    None of them keeps the name, so that it never stands for the wrong one.
    """
    several = {name for name, count in Counter(names).items() if count > 1}
    if not several:
        return tuple(names)
    taken = {*names}
    found = []
    for number, name in enumerate(names, 1):
        if name in several:
            name = f"{name}#{number}"  # noqa: PLW2901
            while name in taken:
                name += "#"  # noqa: PLW2901
            taken.add(name)
        found.append(name)
    return tuple(found)


def own_name(name: str, taken: Container[str]) -> str:
    """Return the name of a column of ours: where the input has one of this name, `name_2`, and so on."""
    found, number = name, 2
    while found in taken:
        found, number = f"{name}_{number}", number + 1
    return found


def has_name(column: str, number: int) -> bool:
    """Whether the column with this number has a name of its own, after `apart`."""
    return column not in ("", f"#{number}")


def numbered(wanted: str, count: int) -> int | None:
    """The place, from 0, of the one of `count` columns or sheets whose number, from 1, is `wanted`."""
    # `int` refuses more digits than it likes to read.
    is_number = wanted.isascii() and wanted.isdigit() and len(wanted) < _DIGITS
    return int(wanted) - 1 if is_number and 1 <= int(wanted) <= count else None


def is_twin(column: str, name: str, number: int) -> bool:
    """Whether the column with this number is one of several of this name, after `apart`."""
    return column.rstrip("#") == f"{name}#{number}"


def fitted_cells(columns: Sequence[str], cells: Sequence[str]) -> Sequence[str] | None:
    """The cells, one for each column; None if there are too many or too few.

    Spreadsheets leave out empty cells at the end of a row, or add some: those beyond the columns are left
    out, and those of columns without a name are added.
    """
    width = len(columns)
    if len(cells) == width:
        return cells
    missing = enumerate(columns[len(cells) :], len(cells) + 1)
    if any(cells[width:]) or any(has_name(column, number) for number, column in missing):
        return None
    return [*cells[:width], *[""] * (width - len(cells))]


class AlikeRows(Iterable[Mapping[str, Any]]):
    """Rows that all have the columns of the first one, so that they can be written as they come.

    They can be gone through once.

    Attributes:
        sample: the first row; nothing where there is none.
    """

    def __init__(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Take rows and read the first one."""
        self._rest = iter(rows)
        self.sample = [*islice(self._rest, 1)]

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        return chain(self.sample, self._rest)

    def mapped(self, change: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> AlikeRows:
        """Return the rows, each changed when it is asked for."""
        return AlikeRows(map(change, self))


def table_lines(
    form: Delimited, rows: Iterable[Mapping[str, str]], columns: Sequence[str] = ()
) -> Iterator[bytes]:
    """The lines of a table with a header; a row without a column has an empty cell there.

    The columns are those of all rows, which need not have the same ones; `columns` where there are none.
    """
    every = rows if isinstance(rows, AlikeRows) else [*rows]
    sample = every.sample if isinstance(every, AlikeRows) else every
    names = list(dict.fromkeys(chain.from_iterable(sample))) or list(columns)
    cells = ([row.get(name, "") for name in names] for row in every)
    return delimited_lines(form, chain([names] if names else [], cells))


def _records(
    columns: tuple[str, ...], rows: Iterator[TableRow | InputError], name: str, hint: str
) -> Iterator[Record | InputError]:
    for row in rows:
        if isinstance(row, InputError):
            yield row
            continue
        place = Place(name, row.line)
        if not row.cells:
            yield Record(place, None, is_empty=True)
        elif (cells := fitted_cells(columns, row.cells)) is not None:
            yield Record(place, dict(zip(columns, cells, strict=True)), raw=row.raw)
        else:
            many = "1 cell" if len(row.cells) == 1 else f"{len(row.cells)} cells"
            width = "1 column" if len(columns) == 1 else f"{len(columns)} columns"
            yield InputError(f"the row has {many}, the table {width}", hint=hint, place=place)

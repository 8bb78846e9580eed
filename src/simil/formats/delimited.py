"""CSV (RFC 4180) and TSV: bytes to rows of cells, and rows of cells to lines.

TSV has no quotes and no escapes: a cell is what stands between tabs. A cell that holds a tab or a line end
cannot be written as it is; there they become `\\t`, `\\n` and `\\r`, and such cells are counted.
"""

from __future__ import annotations

import contextlib
import csv
import logging
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from simil.errors import InputError, Place
from simil.formats.encoding import bad_byte

__all__ = ["CSV", "TSV", "Delimited", "Escapes", "TableRow", "delimited_lines", "tsv_cell"]

log = logging.getLogger("simil")

_BOM = "\ufeff"
_LARGEST_LONG = 2**31 - 1  # The field size limit is a C long, which has 32 bits on some systems.
_IN_QUOTES = re.compile(r'[,"\r\n]')
_ESCAPES = str.maketrans({"\t": "\\t", "\n": "\\n", "\r": "\\r"})


class TableRow(NamedTuple):
    """The cells of a row and the number of its first line; an empty line has no cells."""

    line: int
    cells: list[str]


class Escapes:
    """Counts the cells of a TSV in which a tab or a line end was replaced."""

    def __init__(self) -> None:
        self.cells = 0

    def report(self) -> None:
        """Log how many cells were changed, and which formats change none."""
        if self.cells:
            log.warning(
                "%s held tabs or line ends, written as \\t, \\n, \\r; csv and jsonl keep them exactly",
                "1 cell" if self.cells == 1 else f"{self.cells} cells",
            )


@dataclass(frozen=True, slots=True)
class Delimited:
    """A way to separate cells.

    Attributes:
        name: its name in messages.
        separator: what stands between two cells.
        rows: the rows of the lines of a source, by its name; an error stands for a row that cannot be read.
        line: the line that holds some cells, without its end.
        hint: what to do about a row with too many or too few cells.
    """

    name: str
    separator: str
    rows: Callable[[Iterator[bytes], str], Iterator[TableRow | InputError]]
    line: Callable[[Sequence[str], Escapes], str]
    hint: str


def delimited_lines(form: Delimited, rows: Iterable[Sequence[str]]) -> Iterator[bytes]:
    """The lines of a whole file; after the last, escaped cells are counted in one line of the log."""
    escapes = Escapes()
    for number, cells in enumerate(rows):
        line = form.line(cells, escapes)
        if not number and line.startswith(_BOM):
            line = _BOM + line  # A reader takes the first one of a file for a byte order mark.
        yield f"{line}\n".encode("utf-8", "surrogateescape")  # names have the bytes of the system
    escapes.report()


def tsv_cell(text: str) -> str:
    """The text as a cell of TSV, with tabs and line ends written as `\\t`, `\\n` and `\\r`."""
    return text.translate(_ESCAPES)


class _DecodedLines(Iterator[str]):
    """Feeds lines to the CSV reader and remembers what went wrong within a row.

    An error raised from here would leave the reader inside the row, and the rest of a quoted cell would be
    taken for new rows. So a bad byte is replaced, and the row is refused once it is complete.
    """

    def __init__(self, raw: Iterator[bytes], name: str) -> None:
        self._raw = enumerate(raw, 1)
        self._name = name
        self.fault: InputError | None = None
        self.ended = False

    def __next__(self) -> str:
        try:
            number, raw = next(self._raw)
        except StopIteration:
            self.ended = True
            raise
        try:
            line = raw.decode("utf-8")
        except UnicodeDecodeError as exc:
            self.fault = self.fault or bad_byte(raw, exc, Place(self._name, number))
            line = raw.decode("utf-8", "replace")
        return line + "\n"


def _csv_rows(raw: Iterator[bytes], name: str) -> Iterator[TableRow | InputError]:
    """Quoted cells may hold commas, doubled quotes and line breaks.

    An error stands for a row that has a bad byte or a broken quote, or whose last quote is never closed.
    """
    feed = _DecodedLines(raw, name)
    reader = csv.reader(feed, strict=True)
    with _long_cells:
        while True:
            line = reader.line_num + 1
            feed.fault = None
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as exc:
                yield _broken(exc, Place(name, line), unclosed=feed.ended)
            else:
                yield feed.fault or TableRow(line, cells)


class _LongCells(contextlib.AbstractContextManager[None]):
    """Lifts the csv module's limit of 128 KiB per cell, which the process shares, while a reader is open."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._readers = 0
        self._limit = 0

    def __enter__(self) -> None:
        with self._lock:
            if not self._readers:
                self._limit = csv.field_size_limit(_LARGEST_LONG)
            self._readers += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._readers -= 1
            if not self._readers:
                csv.field_size_limit(self._limit)


_long_cells = _LongCells()


def _tsv_rows(raw: Iterator[bytes], name: str) -> Iterator[TableRow | InputError]:
    """Each line is split at each tab; quotes and backslashes are text like any other."""
    for number, line in enumerate(raw, 1):
        try:
            text = line.decode("utf-8").removesuffix("\r")
        except UnicodeDecodeError as exc:
            yield bad_byte(line, exc, Place(name, number))
        else:
            yield TableRow(number, text.split("\t") if text else [])


def _broken(exc: csv.Error, place: Place, *, unclosed: bool) -> InputError:
    if unclosed:
        return InputError(
            "a quote opened in the row that begins here is never closed",
            hint="close it; a quote inside a quoted cell is written twice",
            place=place,
        )
    if "new-line" in str(exc):
        return InputError(
            "a carriage return stands outside quotes",
            hint="end lines with \\n or \\r\\n, and quote a cell that holds one",
            place=place,
        )
    return InputError(
        f"not valid CSV: {exc}", hint="a quote inside a quoted cell is written twice", place=place
    )


def _csv_line(cells: Sequence[str], escapes: Escapes) -> str:
    quoted = ['"' + cell.replace('"', '""') + '"' if _IN_QUOTES.search(cell) else cell for cell in cells]
    # A single empty cell is quoted: an empty line would be no row.
    return ",".join(quoted) or '""' * len(quoted)


def _tsv_line(cells: Sequence[str], escapes: Escapes) -> str:
    line = "\t".join(cells)
    if line.count("\t") < len(cells) and "\n" not in line and "\r" not in line:
        return line
    written = [tsv_cell(cell) for cell in cells]
    escapes.cells += sum(map(str.__ne__, cells, written))
    return "\t".join(written)


CSV = Delimited("csv", ",", _csv_rows, _csv_line, hint="quote a cell that holds a comma")
TSV = Delimited("tsv", "\t", _tsv_rows, _tsv_line, hint="a cell cannot hold a tab or a line break; CSV can")

"""CSV (RFC 4180) and TSV: bytes to rows of cells, and rows of cells to lines.

CSV is read with any separator, and written with commas. TSV has no quotes and no escapes: a cell is what
stands between tabs. A cell that holds a tab or a line end cannot be written as it is; there they become
`\\t`, `\\n` and `\\r`, and such cells are counted.
"""

from __future__ import annotations

import contextlib
import csv
import logging
import re
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import NamedTuple

from simil.errors import InputError, Place
from simil.formats.encoding import bad_byte
from simil.formats.lines import without_end
from simil.formats.separators import COMMA, is_misread, separated
from simil.formats.text_limit import too_long

__all__ = [
    "CSV",
    "TSV",
    "Delimited",
    "Escapes",
    "RowStream",
    "TableRow",
    "delimited_lines",
    "safe_cells",
    "tsv_cell",
]

log = logging.getLogger("simil")

_BOM = "\ufeff"
_LARGEST_LONG = 2**31 - 1  # The field size limit is a C long, which has 32 bits on some systems.
_IN_QUOTES = re.compile(r'[,"\r\n]')
# Stands for a carriage return within a line while the CSV reader has it; no text in UTF-8 holds it.
_RETURN = "\udc0d"
# What spreadsheets take for a formula, unless it is a number (OWASP, "CSV Injection").
_FORMULA = re.compile(r"(?!-[0-9.]+(?:[eE][-+]?[0-9]+)?\Z)[=+\-@\t\r\n＝＋－＠]")  # noqa: RUF001
_ESCAPES = str.maketrans({"\t": "\\t", "\n": "\\n", "\r": "\\r"})


_are_safe = ContextVar("safe_cells", default=False)


@contextlib.contextmanager
def safe_cells(wanted: bool) -> Iterator[None]:
    """While the block runs, write cells that a spreadsheet would take for formulas with an apostrophe."""
    before = _are_safe.set(wanted)
    try:
        yield
    finally:
        _are_safe.reset(before)


def _safe(cells: Sequence[str]) -> Sequence[str]:
    return [f"'{cell}" if _FORMULA.match(cell) else cell for cell in cells] if _are_safe.get() else cells


class TableRow(NamedTuple):
    """The cells of a row, the number of its first line, and its bytes; an empty line has no cells."""

    line: int
    cells: list[str]
    raw: bytes = b""


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
class RowStream:
    """The rows of a source; an error stands for one that cannot be read.

    Attributes:
        rows: the rows.
        separator: what separates their cells.
        head: the bytes before the first row.
        hint: what to do about a row with too many or too few cells.
    """

    rows: Iterator[TableRow | InputError]
    separator: str
    head: bytes
    hint: str


@dataclass(frozen=True, slots=True)
class Delimited(ABC):
    """A way to separate cells.

    Attributes:
        name: its name in messages.
        separator: what is written between two cells.
    """

    name: str
    separator: str

    @abstractmethod
    def rows(
        self,
        lines: Iterator[bytes],
        name: str,
        *,
        separator: str | None = None,
        encoding: str = "utf-8",
        limit: int = sys.maxsize,
    ) -> RowStream:
        """The rows of the lines of a source, which are in UTF-8 and were in `encoding`.

        `separator` is the one that the user names. Raises InputError if it is unclear which it is. The rows
        raise it where one is longer than `limit` bytes.
        """

    @abstractmethod
    def line(self, cells: Sequence[str], escapes: Escapes) -> str:
        """The line that holds some cells, without its end."""

    def first_line(self, cells: Sequence[str], escapes: Escapes) -> str:
        """The first line of a file, which has to be read as what it is."""
        line = self.line(cells, escapes)
        # A reader takes the first byte order mark of a file for no part of it.
        return _BOM + line if line.startswith(_BOM) else line


def delimited_lines(form: Delimited, rows: Iterable[Sequence[str]]) -> Iterator[bytes]:
    """The lines of a whole file; after the last, escaped cells are counted in one line of the log."""
    escapes = Escapes()
    for number, cells in enumerate(rows):
        line = form.line(cells, escapes) if number else form.first_line(cells, escapes)
        yield f"{line}\n".encode("utf-8", "surrogateescape")  # names have the bytes of the system
    escapes.report()


def tsv_cell(text: str) -> str:
    """The text as a cell of TSV, with tabs and line ends written as `\\t`, `\\n` and `\\r`."""
    return text.translate(_ESCAPES)


class _DecodedLines(Iterator[str]):
    """Feeds lines to the CSV reader and remembers what went wrong within a row.

    An error raised from here would leave the reader inside the row, and the rest of a quoted cell would be
    taken for new rows. So a bad byte is replaced, and the row is refused once it is complete.

    Attributes:
        fault: the error for the first bad byte, until the reader of rows has taken it.
        ended: whether all lines are read.
        keeps_returns: whether a carriage return within a line is part of a cell.
        has_returns: whether one was replaced, until the reader of rows has put it back.
        row: the number of the first line of the row.
        size: how many bytes of the row have been read.
    """

    def __init__(self, lines: Iterator[bytes], first: int, name: str, encoding: str, limit: int) -> None:
        self._lines = enumerate(lines, first)
        self._name = name
        self._encoding = encoding
        self._limit = limit
        self.row, self.size = first, 0
        self.raw: list[bytes] = []
        self.fault: InputError | None = None
        self.ended = False
        self.keeps_returns = False
        self.has_returns = False

    def __next__(self) -> str:
        try:
            number, raw = next(self._lines)
        except StopIteration:
            self.ended = True
            raise
        self.raw.append(raw)
        self.size += len(raw)
        if self.size > self._limit:
            raise too_long(self._limit, Place(self._name, self.row))
        raw = raw.removesuffix(b"\n")
        try:
            line = raw.decode("utf-8")
        except UnicodeDecodeError as exc:
            self.fault = self.fault or bad_byte(raw, exc, Place(self._name, number), self._encoding)
            line = raw.decode("utf-8", "replace")
        if self.keeps_returns and line.find("\r", 0, len(line) - 1) >= 0:
            # The reader would end the row there, unless in quotes.
            line = line[:-1].replace("\r", _RETURN) + line[-1]
            self.has_returns = True
        return line + "\n"


class _Csv(Delimited):
    """Quoted cells may hold separators, doubled quotes and line breaks."""

    def rows(
        self,
        lines: Iterator[bytes],
        name: str,
        *,
        separator: str | None = None,
        encoding: str = "utf-8",
        limit: int = sys.maxsize,
    ) -> RowStream:
        told = separated(lines, name, separator, limit)
        hint = f"quote a cell that holds {'a comma' if told.separator == COMMA else repr(told.separator)}"
        if told.is_guess:
            hint = f"by the first row, cells are separated by {told.separator!r}; if not, pass --delimiter ,"
        first = 2 if told.head else 1
        feed = _DecodedLines(told.lines, first, name, encoding, limit)
        return RowStream(_csv_rows(feed, told.separator, first, name), told.separator, told.head, hint)

    def line(self, cells: Sequence[str], escapes: Escapes) -> str:
        quoted = [_quoted(cell) if _IN_QUOTES.search(cell) else cell for cell in _safe(cells)]
        # A single empty cell is quoted: an empty line would be no row.
        return self.separator.join(quoted) or '""' * len(quoted)

    def first_line(self, cells: Sequence[str], escapes: Escapes) -> str:
        line = super().first_line(cells, escapes)
        return self.separator.join(map(_quoted, _safe(cells))) if is_misread(line) else line


def _csv_rows(feed: _DecodedLines, separator: str, first: int, name: str) -> Iterator[TableRow | InputError]:
    """The rows; an error stands for one with a bad byte or a broken quote, or whose last quote stays open.

    A carriage return within a line is part of a cell, but in the first row, where it shows that lines end
    with it.
    """
    reader = csv.reader(feed, delimiter=separator, strict=True)
    with _long_cells:
        while True:
            line = first + reader.line_num
            feed.raw, feed.row, feed.size = [], line, 0
            feed.fault = None
            feed.has_returns = False
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as exc:
                yield _broken(exc, Place(name, line), unclosed=feed.ended)
                continue
            if feed.has_returns:
                cells = [cell.replace(_RETURN, "\r") for cell in cells]
            feed.keeps_returns = feed.keeps_returns or bool(cells)
            yield feed.fault or TableRow(line, cells, b"".join(feed.raw))


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


class _Tsv(Delimited):
    """Each line is split at each tab; quotes and backslashes are text like any other."""

    def rows(
        self,
        lines: Iterator[bytes],
        name: str,
        *,
        separator: str | None = None,
        encoding: str = "utf-8",
        limit: int = sys.maxsize,
    ) -> RowStream:
        hint = "a cell cannot hold a tab or a line break; CSV can"
        found = separator or self.separator
        return RowStream(_tsv_rows(lines, found, name, encoding), found, b"", hint)

    def line(self, cells: Sequence[str], escapes: Escapes) -> str:
        cells = _safe(cells)
        line = "\t".join(cells)
        if line.count("\t") < len(cells) and "\n" not in line and "\r" not in line:
            return line
        written = [tsv_cell(cell) for cell in cells]
        escapes.cells += sum(map(str.__ne__, cells, written))
        return "\t".join(written)


def _tsv_rows(
    lines: Iterator[bytes], separator: str, name: str, encoding: str
) -> Iterator[TableRow | InputError]:
    is_first = True
    for number, raw in enumerate(lines, 1):
        place = Place(name, number)
        line = without_end(raw)
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError as exc:
            yield bad_byte(line, exc, place, encoding)
            continue
        yield (
            _returns(place)
            if is_first and "\r" in text
            else TableRow(number, text.split(separator) if text else [], raw)
        )
        is_first = is_first and not text


def _broken(exc: csv.Error, place: Place, *, unclosed: bool) -> InputError:
    if unclosed:
        return InputError(
            "a quote opened in the row that begins here is never closed",
            hint="close it; a quote inside a quoted cell is written twice",
            place=place,
        )
    if "new-line" in str(exc):
        return _returns(place)
    return InputError(
        f"not valid CSV: {exc}", hint="a quote inside a quoted cell is written twice", place=place
    )


def _returns(place: Place) -> InputError:
    return InputError(
        "a carriage return stands outside quotes",
        hint="end lines with \\n or \\r\\n, e.g. by tr '\\r' '\\n', and quote a cell that holds one",
        place=place,
    )


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"'


CSV: Delimited = _Csv("csv", COMMA)
TSV: Delimited = _Tsv("tsv", "\t")

"""The rows of CSV and TSV: cells, and the line on which each row begins."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import NamedTuple

from simil.errors import InputError, Place
from simil.formats.encoding import bad_byte

__all__ = ["TableRow", "csv_rows", "tsv_rows"]

_LARGEST_LONG = 2**31 - 1
"""The field size limit is a C long, which has 32 bits on some systems."""


class TableRow(NamedTuple):
    """The cells of a row and the number of its first line; an empty line has no cells."""

    line: int
    cells: list[str]


class _DecodedLines(Iterator[str]):
    """Feeds lines to the CSV reader and remembers what went wrong within a row.

    An error raised from here would leave the reader inside the row, and a quoted cell that goes on would
    be taken for new rows. So a bad byte is replaced, and the row is refused once it is complete.
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


def csv_rows(raw: Iterator[bytes], name: str) -> Iterator[TableRow | InputError]:
    """The rows of CSV after RFC 4180: quoted cells may hold commas, doubled quotes and line breaks.

    An error stands for a row that has a bad byte or a broken quote, or whose last quote is never closed.
    """
    # The limit is 128 KiB, less than a document can be. It belongs to the process, so it is only ever raised.
    csv.field_size_limit(max(csv.field_size_limit(), _LARGEST_LONG))
    feed = _DecodedLines(raw, name)
    reader = csv.reader(feed, strict=True)
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


def tsv_rows(raw: Iterator[bytes], name: str) -> Iterator[TableRow | InputError]:
    """The rows of TSV: each line split at each tab; quotes and backslashes are text like any other."""
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

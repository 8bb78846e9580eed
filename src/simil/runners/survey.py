"""Looks at a file before the run: its format, how many rows it has, and where it can be divided."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import NamedTuple

from simil.errors import InputError, Place, UsageError
from simil.formats.delimited import TableRow
from simil.formats.detection import TypedSource
from simil.formats.encoding import Utf8Chunks
from simil.formats.tables import rows_of
from simil.runners.input_source import InputFile, InputSource
from simil.texts import InputFormat, ReadOptions

__all__ = ["MARKED_LINES", "FileFacts", "LineMark", "survey"]

# Where a file of lines can be divided is remembered after so many.
MARKED_LINES = 256
_BY_LINES = (InputFormat.TEXT, InputFormat.JSONL, InputFormat.CSV, InputFormat.TSV)
_BY_ROWS = (InputFormat.PARQUET, InputFormat.ARROW)
# Encodings in which the byte of a line end is nothing else. ASCII and all that extend it by single bytes.
_PLAIN = ("utf-8", "ascii", "iso8859", "cp125", "latin", "koi8", "mac-")
# Rows of a file that is not divided, by its size: only for how much of the work it is.
_BYTES_PER_ROW = 200


class LineMark(NamedTuple):
    """A line, by its number from 0, and the byte at which it begins."""

    line: int
    byte: int


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What is known of a file.

    Attributes:
        form: the name of its format.
        rows: how many lines or rows it has; a guess for one that cannot be divided.
        is_divisible: whether it can be divided; by rows if there are no `marks`.
        marks: where it can be divided, from its beginning on; none for a file that is divided by rows.
        lead: the lines that say how the others are read, such as a header.
        encoding: that of the file where its bytes tell it.
        are_numbered: whether records that may have ids have none, so that each has its line's number.
    """

    form: str
    rows: int
    is_divisible: bool = False
    marks: Sequence[LineMark] = ()
    lead: bytes = b""
    encoding: str | None = None
    are_numbered: bool = False


def survey(file: InputFile, options: ReadOptions) -> FileFacts:
    """Return what there is to know of a file before it is read; reads all of one that consists of lines.

    Raises `UsageError` for a file of vectors, `InputError` for one that cannot be read.
    """
    source = InputSource(file, text_limit=options.text_limit)
    source.check()
    typed = options.open(source)
    if typed.is_document:
        raise InputError(
            "is a document, and documents are not read on a cluster",
            hint="leave out --on",
            place=Place(source.name),
        )
    if not options.is_literal:
        _refuse_vectors(typed, options)
    form = typed.format.name
    if form in _BY_ROWS:
        from simil.formats.columnar import count_rows

        rows = count_rows(source)
        return FileFacts(form, _guess(file), False) if rows is None else FileFacts(form, rows, True)
    if options.whole:
        return FileFacts(form, 1)
    found = _lines(typed, file, options) if form in _BY_LINES and not options.nul else None
    return found or FileFacts(form, _guess(file))


def _guess(file: InputFile) -> int:
    return max(1, file.size // _BYTES_PER_ROW)


def _refuse_vectors(typed: TypedSource, options: ReadOptions) -> None:
    from simil.vectors.sniff import as_vectors

    if as_vectors(typed, options, options.fields) is not None:
        raise UsageError(
            f"{typed.source.name} holds vectors already: there is nothing to embed",
            hint="leave it out, or name the column of its texts with --field",
        )


def _lines(typed: TypedSource, file: InputFile, options: ReadOptions) -> FileFacts | None:
    """Return what is known of a file of lines; None if it cannot be divided."""
    source, form = typed.source, typed.format.name
    assert isinstance(source, InputSource)
    decoded = Utf8Chunks(iter([source.head()]), options.encoding)
    next(decoded, b"")
    if not decoded.encoding.startswith(_PLAIN):
        return None
    lead = _lead(typed, options)
    if lead is None:
        return None
    has_quotes = form == InputFormat.CSV and _holds(source, b'"')
    lines, marks = _marks(source, _row_lines(typed, options) if has_quotes else None)
    # Without any line feed, lines may end with a carriage return.
    if lines < 2:
        return None
    are_numbered = False
    if form == InputFormat.JSONL and options.id_field is None:
        given, missing = _ids(source)
        if given and missing:  # The id of a record then depends on those before it.
            return None
        are_numbered = not given
    return FileFacts(form, lines, True, marks, lead, decoded.encoding, are_numbered)


def _bytes(typed: TypedSource) -> Iterator[bytes]:
    """Return all bytes, however often that is asked, and whoever stops in the middle."""
    assert isinstance(typed.source, InputSource)
    return typed.source.span(0, typed.source.of.size)


def _holds(source: InputSource, mark: bytes) -> bool:
    """Return whether a single byte occurs in a file."""
    return any(mark in chunk for chunk in source.span(0, source.of.size))


def _row_lines(typed: TypedSource, options: ReadOptions) -> Iterator[int]:
    """Yield the numbers of the lines, from 0, at which rows of a table begin."""
    assert typed.format.table is not None
    stream = rows_of(typed.format.table, _bytes(typed), typed.source.name, options)
    for row in stream.rows:
        if isinstance(row, InputError):
            if row.place is not None and row.place.line:
                yield row.place.line - 1
        else:
            yield row.line - 1


def _ids(source: InputSource) -> tuple[int, int]:
    """Return how many records of JSON Lines have an id, and how many have none."""
    if not any(b'"id"' in batch for batch in _whole_lines(source)):
        return 0, 1
    import orjson

    given = missing = 0
    for batch in _whole_lines(source):
        for line in batch.split(b"\n"):
            try:
                record = orjson.loads(line)
            except orjson.JSONDecodeError:
                continue
            if isinstance(record, dict):
                given += "id" in record
                missing += "id" not in record
        if given and missing:
            break
    return given, missing


def _whole_lines(source: InputSource) -> Iterator[bytes]:
    """Yield the bytes of a file, cut where lines end."""
    rest = b""
    for chunk in source.span(0, source.of.size):
        head, end, tail = chunk.rpartition(b"\n")
        if end:
            yield rest + head
            rest = tail
        else:
            rest += chunk
    yield rest


def _lead(typed: TypedSource, options: ReadOptions) -> bytes | None:
    """Return the lines that say how those behind them are read; None for a table without any row."""
    form = typed.format.table
    if form is None:
        return b"\n"  # After it, nothing is taken for the mark of an encoding.
    stream = rows_of(form, _bytes(typed), typed.source.name, options)
    row = next((row for row in stream.rows if isinstance(row, TableRow) and row.cells), None)
    if row is None:
        return None
    line = row.line - 1 + max(row.raw.count(b"\n"), 1)  # A quoted name of a column may hold line ends.
    head: list[bytes] = []
    for chunk in _bytes(typed):
        head.append(chunk)
        if b"".join(head).count(b"\n") >= line:
            break
    lines = b"".join(head).split(b"\n")
    return b"\n".join(lines[:line]) + b"\n" if len(lines) > line else None


def _marks(source: InputSource, starts: Iterator[int] | None) -> tuple[int, list[LineMark]]:
    """Return how many lines there are, and where some of them begin, so many apart.

    `starts` are the lines, from 0 and in order, at which the file may be divided; None for all of them.
    """
    import numpy as np

    found: list[LineMark] = [LineMark(0, 0)]
    wanted = _apart(count(0) if starts is None else starts)
    line = next(wanted, None)
    lines = at = 0
    last = b"\n"
    for chunk in source.span(0, source.of.size):
        ends = np.flatnonzero(np.frombuffer(chunk, np.uint8) == ord("\n"))
        # The line with the number n, from 0, begins after the n-th line end.
        while line is not None and line <= lines + len(ends):
            found.append(LineMark(line, at + int(ends[line - lines - 1]) + 1))
            line = next(wanted, None)
        lines, at, last = lines + len(ends), at + len(chunk), chunk[-1:]
    return lines + (last != b"\n"), found


def _apart(lines: Iterator[int]) -> Iterator[int]:
    """Yield those of the lines that are at least so many apart, but the first of the file."""
    before = 0
    for line in lines:
        if line >= before + MARKED_LINES:
            before = line
            yield line

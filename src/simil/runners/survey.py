"""Looks at a file before the run: its format, how many rows it has, and where it can be divided."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field

from simil.errors import UsageError
from simil.formats.detection import TypedSource
from simil.formats.encoding import Utf8Chunks
from simil.formats.tables import rows_of
from simil.runners.input_source import InputFile, InputSource
from simil.texts import InputFormat, ReadOptions

__all__ = ["MARKED_LINES", "FileFacts", "survey"]

# A file of lines can be divided before each of so many.
MARKED_LINES = 256
_BY_LINES = (InputFormat.TEXT, InputFormat.JSONL, InputFormat.CSV, InputFormat.TSV)
_BY_ROWS = (InputFormat.PARQUET, InputFormat.ARROW)
# Encodings in which the byte of a line end is nothing else. ASCII and all that extend it by single bytes.
_PLAIN = ("utf-8", "ascii", "iso8859", "cp125", "latin", "koi8", "mac-")
# Rows of a file that is not divided, by its size: only for how much of the work it is.
_BYTES_PER_ROW = 200


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What is known of a file.

    Attributes:
        form: the name of its format.
        rows: how many lines or rows it has; a guess for one that cannot be divided.
        is_divisible: whether it can be divided; by rows if there are no `marks`.
        marks: the bytes at which every 256th line begins, from the first on.
        lead: the lines that say how the others are read, such as a header.
        encoding: that of the file where its bytes tell it.
    """

    form: str
    rows: int
    is_divisible: bool = False
    marks: array[int] = field(default_factory=lambda: array("q"))
    lead: bytes = b""
    encoding: str | None = None


def survey(file: InputFile, options: ReadOptions) -> FileFacts:
    """Return what there is to know of a file before it is read; reads all of one that consists of lines.

    Raises `UsageError` for a file of vectors, `InputError` for one that cannot be read.
    """
    source = InputSource(file, text_limit=options.text_limit)
    source.check()
    typed = options.open(source)
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
    """Return what is known of a file of lines; None if its rows cannot be told from its line ends."""
    source = typed.source
    assert isinstance(source, InputSource)
    decoded = Utf8Chunks(iter([source.head()]), options.encoding)
    next(decoded, b"")
    if not decoded.encoding.startswith(_PLAIN):
        return None
    lead = _lead(typed, options)
    if lead is None:
        return None
    lines, marks, has_quotes = _count(source, file.size)
    # Without any line feed, lines may end with a carriage return; a quoted cell may hold line ends.
    if lines < 2 or (has_quotes and typed.format.name == InputFormat.CSV):
        return None
    return FileFacts(typed.format.name, lines, True, marks, lead, decoded.encoding)


def _lead(typed: TypedSource, options: ReadOptions) -> bytes | None:
    """Return the lines that say how those behind them are read; None for a table without any row."""
    form = typed.format.table
    if form is None:
        return b"\n"  # After it, nothing is taken for the mark of an encoding.
    stream = rows_of(form, typed.source.chunks(), typed.source.name, options)
    line = 0
    for row in stream.rows:
        line = getattr(row, "line", line + 1)
        if getattr(row, "cells", None):
            break
    else:
        return None
    head: list[bytes] = []
    for chunk in typed.source.chunks():
        head.append(chunk)
        if b"".join(head).count(b"\n") >= line:
            break
    lines = b"".join(head).split(b"\n")
    return b"\n".join(lines[:line]) + b"\n" if len(lines) > line else None


def _count(source: InputSource, size: int) -> tuple[int, array[int], bool]:
    """Return how many lines there are, where every so many begin, and whether there is any quote."""
    import numpy as np

    marks = array("q", [0])
    count = at = 0
    has_quotes, last = False, b"\n"
    for chunk in source.span(0, size):
        ends = np.flatnonzero(np.frombuffer(chunk, np.uint8) == ord("\n"))
        first = -(count + 1) % MARKED_LINES
        marks.extend((ends[first::MARKED_LINES] + (at + 1)).tolist())
        count, at, last = count + len(ends), at + len(chunk), chunk[-1:]
        has_quotes = has_quotes or b'"' in chunk
    if last != b"\n":
        count += 1
    return count, marks, has_quotes

"""Plain text: one text per line, one text between NULs, or a file that is one text."""

from __future__ import annotations

from collections.abc import Iterator

from simil.errors import InputError, Place
from simil.formats.encoding import Utf8Chunks, bad_byte, bad_byte_in_lines
from simil.formats.lines import line_batches, without_end
from simil.formats.record_stream import Record

__all__ = ["plain_records", "whole_record"]


def plain_records(
    chunks: Iterator[bytes], name: str, encoding: str | None = None, *, nul: bool = False
) -> Iterator[Record | InputError]:
    """One text per line or, with `nul`, one between NULs.

    A line ends with \\n or \\r\\n. The place's line is the number of the line or, with `nul`, of the text.
    """
    decoded = Utf8Chunks(chunks, encoding)
    number = 0
    for batch in line_batches(decoded, b"\0" if nul else b"\n"):
        for raw in batch:
            number += 1
            place = Place(name, number)
            line = raw.removesuffix(b"\0") if nul else without_end(raw)
            try:
                yield Record(place, line.decode("utf-8"), raw=raw)
            except UnicodeDecodeError as exc:
                yield bad_byte(line, exc, place, decoded.encoding)


def whole_record(
    chunks: Iterator[bytes], name: str, encoding: str | None = None
) -> Iterator[Record | InputError]:
    """The whole source as one text: a single record, or the error for bytes that cannot be decoded.

    The line ending at its very end is dropped, so that a file of one line is the same text with and
    without --whole.
    """
    decoded = Utf8Chunks(chunks, encoding)
    data = b"".join(decoded)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as exc:
        yield bad_byte_in_lines(data, exc, Place(name, 1), decoded.encoding)
        return
    if text.endswith("\n"):
        text = text[:-1].removesuffix("\r")
    yield Record(Place(name), text)

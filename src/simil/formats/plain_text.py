"""Plain text: one text per line, one text between NULs, or a file that is one text."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from simil.errors import InputError, Place
from simil.formats.encoding import Utf8Chunks, bad_byte, bad_byte_in_lines
from simil.formats.lines import line_batches, without_end
from simil.formats.record_stream import Record
from simil.formats.text_limit import too_long

__all__ = ["plain_records", "whole_record"]


def plain_records(
    chunks: Iterator[bytes],
    name: str,
    encoding: str | None = None,
    *,
    nul: bool = False,
    limit: int = sys.maxsize,
) -> Iterator[Record | InputError]:
    """One text per line or, with `nul`, one between NULs.

    A line ends with \\n or \\r\\n. The place's line is the number of the line or, with `nul`, of the text.
    Raises InputError for a text that is longer than `limit` bytes.
    """
    decoded = Utf8Chunks(chunks, encoding)
    number = 0
    for batch in line_batches(decoded, name, b"\0" if nul else b"\n", limit=limit):
        for raw in batch:
            number += 1
            place = Place(name, number)
            line = raw.removesuffix(b"\0") if nul else without_end(raw)
            try:
                yield Record(place, line.decode("utf-8"), raw=raw)
            except UnicodeDecodeError as exc:
                yield bad_byte(line, exc, place, decoded.encoding)


def whole_record(
    chunks: Iterator[bytes], name: str, encoding: str | None = None, *, limit: int = sys.maxsize
) -> Iterator[Record | InputError]:
    """The whole source as one text: a single record, or the error for bytes that cannot be decoded.

    The line ending at its very end is dropped, so that a file of one line is the same text with and
    without --whole. Raises InputError for a source that is longer than `limit` bytes.
    """
    decoded = Utf8Chunks(chunks, encoding)
    data = b"".join(_limited(decoded, Place(name), limit))
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as exc:
        yield bad_byte_in_lines(data, exc, Place(name, 1), decoded.encoding)
        return
    if text.endswith("\n"):
        text = text[:-1].removesuffix("\r")
    yield Record(Place(name), text)


def _limited(chunks: Iterator[bytes], place: Place, limit: int) -> Iterator[bytes]:
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > limit:
            raise too_long(limit, place)
        yield chunk

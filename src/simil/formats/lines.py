"""Splits chunks of bytes into lines."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from simil.errors import Place
from simil.formats.text_limit import too_long

__all__ = ["line_batches", "lines", "without_end"]


def line_batches(
    chunks: Iterator[bytes], name: str = "", separator: bytes = b"\n", *, limit: int = sys.maxsize
) -> Iterator[list[bytes]]:
    """The lines that each chunk completes, each with the `separator` at its end; the last one may lack it.

    Only `separator` splits: U+2028, U+0085 and form feeds are part of a text. A source without a single line
    feed may have lines that end with a carriage return, as those of old Macs do; they get a line feed.
    Raises InputError for a line of the source `name` that is longer than `limit` bytes.
    """
    any_line = False
    pending: list[bytes] = []
    number, size = 1, 0
    for chunk in chunks:
        first, *completed = chunk.split(separator)
        pending.append(first)
        size += len(first)
        if size > limit:
            raise too_long(limit, Place(name, number))
        if completed:
            number, size = number + len(completed), len(completed[-1])
            # Joined once, at its end, so that a long line takes linear time.
            head = b"".join(pending)
            pending = [completed.pop()]
            yield [line + separator for line in (head, *completed)]
            any_line = True
    last = b"".join(pending)
    if separator == b"\n" and not any_line:
        yield _mac_lines(last)
    elif last:
        yield [last]


def _mac_lines(data: bytes) -> list[bytes]:
    *ended, last = data.split(b"\r")
    return [line + b"\n" for line in ended] + ([last] if last else [])


def lines(chunks: Iterator[bytes], name: str = "", *, limit: int = sys.maxsize) -> Iterator[bytes]:
    """The lines of a stream, each with its end; raises as `line_batches` does."""
    for batch in line_batches(chunks, name, limit=limit):
        yield from batch


def without_end(line: bytes) -> bytes:
    """The line without its \\n, \\r\\n or \\r."""
    return line.removesuffix(b"\n").removesuffix(b"\r")

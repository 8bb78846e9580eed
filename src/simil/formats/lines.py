"""Splits chunks of bytes into lines."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["line_batches", "lines", "without_end"]


def line_batches(chunks: Iterator[bytes], separator: bytes = b"\n") -> Iterator[list[bytes]]:
    """The lines that each chunk completes, each with the `separator` at its end; the last one may lack it.

    Only `separator` splits: U+2028, U+0085 and form feeds are part of a text. A source without a single line
    feed may have lines that end with a carriage return, as those of old Macs do; they get a line feed.
    """
    any_line = False
    pending: list[bytes] = []
    for chunk in chunks:
        first, *completed = chunk.split(separator)
        pending.append(first)
        if completed:
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


def lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The lines of a stream, each with its end."""
    for batch in line_batches(chunks):
        yield from batch


def without_end(line: bytes) -> bytes:
    """The line without its \\n, \\r\\n or \\r."""
    return line.removesuffix(b"\n").removesuffix(b"\r")

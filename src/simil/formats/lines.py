"""Splits chunks of bytes into lines."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["line_batches", "lines"]


def line_batches(chunks: Iterator[bytes], separator: bytes = b"\n") -> Iterator[list[bytes]]:
    """The lines that each chunk completes, without `separator`; the last line may lack one.

    Only `separator` splits: U+2028, U+0085 and form feeds are part of a text. A source without a single line
    feed may have lines that end with a carriage return, as those of old Macs do.
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
            yield [head, *completed]
            any_line = True
    last = b"".join(pending)
    if separator == b"\n" and not any_line:
        yield last.removesuffix(b"\r").split(b"\r") if last else []
    elif last:
        yield [last]


def lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The lines of a stream, each without its \\n; a \\r before it stays."""
    for batch in line_batches(chunks):
        yield from batch

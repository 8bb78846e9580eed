"""Splits chunks of bytes into lines."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["line_batches", "lines"]


def line_batches(chunks: Iterator[bytes], separator: bytes = b"\n") -> Iterator[list[bytes]]:
    """The lines that each chunk completes, without `separator`; the last line may lack one.

    Only `separator` splits: U+2028, U+0085 and form feeds are part of a text.
    """
    pending: list[bytes] = []
    for chunk in chunks:
        first, *completed = chunk.split(separator)
        pending.append(first)
        if completed:
            # Joined once, at its end, so that a long line takes linear time.
            head = b"".join(pending)
            pending = [completed.pop()]
            yield [head, *completed]
    if last := b"".join(pending):
        yield [last]


def lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The lines of a stream, each without its \\n; a \\r before it stays."""
    for batch in line_batches(chunks):
        yield from batch

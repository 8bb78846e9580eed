"""Chunks of bytes to lines."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["line_batches", "lines"]


def line_batches(chunks: Iterator[bytes], separator: bytes = b"\n") -> Iterator[list[bytes]]:
    """The lines that each chunk completes, without `separator`; the last need not be ended by one.

    Only `separator` splits: U+2028, U+0085 or a form feed are part of a text.
    """
    pending: list[bytes] = []
    for chunk in chunks:
        first, *completed = chunk.split(separator)
        pending.append(first)
        if completed:
            # Joined once, when the end is found: a long line costs its length, not its square.
            head = b"".join(pending)
            pending = [completed.pop()]
            yield [head, *completed]
    if last := b"".join(pending):
        yield [last]


def lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The lines of a stream one by one, each without its \\n; a \\r before it stays."""
    for batch in line_batches(chunks):
        yield from batch

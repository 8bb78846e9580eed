"""Records that are written as the bytes that they were read from, and what stands around them in a file.

So what a command only filters or orders keeps its spelling of numbers, order of keys, quotes and line ends.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import chain

from simil.formats.sources import Source

__all__ = ["Frame", "Layout", "common_frame", "joined", "utf8_mark"]

_SPACE = b" \t\r\n"


class Layout(Enum):
    """What is between the records of a file.

    A record of `LINES` or `NULS` has its end after it, which the last of a file may lack. An item of a `LIST`
    has before it what is between it and the one before: a comma, but for the first.
    """

    LINES = b"\n"
    NULS = b"\0"
    LIST = b","


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands around the records of a source.

    Attributes:
        layout: what is between them.
        head: the bytes before the first record, such as a header or the beginning of a JSON document.
        tail: the bytes after the last one.
        kind: what sources have in common whose records can stand in one file, such as the names of columns.
        columns: the names of the columns of a table.
    """

    layout: Layout = Layout.LINES
    head: bytes = b""
    tail: bytes = b""
    kind: tuple[object, ...] = ()
    columns: Sequence[str] = ()


def common_frame(frames: Sequence[Frame | None]) -> Frame | None:
    """The frame of a file with records of several sources, that of the first; None if they do not fit."""
    kinds = {None if frame is None else (frame.layout, frame.kind) for frame in frames}
    return frames[0] if len(kinds) == 1 else None


def joined(frame: Frame, records: Iterable[bytes]) -> Iterator[bytes]:
    """The bytes of a file with these records, which may be some of one source or come from several."""
    if frame.layout is Layout.LIST:
        return chain([frame.head], _list_items(records), [frame.tail])
    return chain(_ended(frame.head, records, frame.layout.value), [frame.tail])


def utf8_mark(source: Source) -> bytes:
    """The byte order mark of a source in UTF-8, or nothing."""
    mark = codecs.BOM_UTF8
    head = source.head(lambda head: len(head) >= len(mark) or not mark.startswith(head))
    return mark if head.startswith(mark) else b""


def _ended(head: bytes, records: Iterable[bytes], end: bytes) -> Iterator[bytes]:
    """The head and the records, with an end after each that has something after it."""
    yield head
    added = end
    last = head.removeprefix(codecs.BOM_UTF8)
    for record in records:
        if not head and not last and record.startswith(codecs.BOM_UTF8):
            yield codecs.BOM_UTF8  # A reader takes the first one of a file for no part of it.
        if last and not last.endswith(end):
            yield added
        elif last.endswith(b"\r\n"):
            added = b"\r\n"
        yield record
        last = record


def _list_items(records: Iterable[bytes]) -> Iterator[bytes]:
    """The items of a list, with a comma before each but the first."""
    is_first = True
    for record in records:
        has_comma = record.lstrip(_SPACE).startswith(b",")
        if is_first and has_comma:
            yield record.replace(b",", b"", 1)
        else:
            yield record if is_first or has_comma else b"," + record
        is_first = False

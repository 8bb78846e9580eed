"""Where the values of a JSON document stand in its bytes, which must have been found valid before."""

from __future__ import annotations

import re
from collections.abc import Iterator

from simil.formats.passthrough import Frame, Layout

__all__ = ["list_frame", "member_spans", "with_member"]

_SPACE = re.compile(rb"[ \t\r\n]*+")
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_SCALAR = re.compile(rb"[^ \t\r\n,\]}]++")
_BRACKET = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[\[\]{}]', re.DOTALL)


def list_frame(data: bytes, start: int) -> tuple[Frame, list[bytes]]:
    """What stands around the items of the list that begins at or after `start`, and the bytes of each item.

    Those of an item begin where the one before ends.
    """
    start = _after_space(data, start) + 1
    items = [*_raw_items(data, start)]
    head, tail = data[:start], data[start + sum(map(len, items)) :]
    around = (b"".join(head.split()), b"".join(tail.split()))
    return Frame(Layout.LIST, head, tail, around), items


def member_spans(data: bytes, start: int = 0) -> dict[str, tuple[int, int]]:
    """Where the value of each member of the object that begins at or after `start` begins and ends.

    Of members with one key the last counts, as for readers of JSON.
    """
    import orjson

    found: dict[str, tuple[int, int]] = {}
    at = _after_space(data, start) + 1
    while data[at := _after_space(data, at)] != ord("}"):
        if data[at] == ord(","):
            at = _after_space(data, at + 1)
        key = _end_of(data, at)
        begin = _after_space(data, _after_space(data, key) + 1)
        end = _end_of(data, begin)
        found[orjson.loads(data[at:key])] = (begin, end)
        at = end
    return found


def with_member(item: bytes, name: str, value: bytes) -> bytes:
    """The bytes of an object with another value of one of its members, if it has it."""
    start = item.index(b"{")
    span = member_spans(item, start).get(name)
    return item if span is None else item[: span[0]] + value + item[span[1] :]


def _raw_items(data: bytes, start: int) -> Iterator[bytes]:
    last = at = start
    while data[at := _after_space(data, at)] != ord("]"):
        if data[at] == ord(","):
            at = _after_space(data, at + 1)
        at = _end_of(data, at)
        yield data[last:at]
        last = at


def _after_space(data: bytes, at: int) -> int:
    found = _SPACE.match(data, at)
    return found.end() if found else at


def _end_of(data: bytes, at: int) -> int:
    """Where the value that begins at `at` ends."""
    if data[at] not in b"[{":
        found = (_STRING if data[at] == ord('"') else _SCALAR).match(data, at)
        return found.end() if found else at
    depth = 0
    for token in _BRACKET.finditer(data, at):
        mark = token[0]
        depth += (mark in (b"[", b"{")) - (mark in (b"]", b"}"))
        if not depth:
            return token.end()
    return len(data)

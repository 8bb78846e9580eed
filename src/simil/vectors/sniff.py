"""Recognizes vector files by their first bytes.

Texts must never be taken for vectors: anything uncertain is None.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator
from typing import BinaryIO

from simil.formats.registry import format_named, sniffed
from simil.vectors.table_form import dimension_columns
from simil.vectors.vector_formats import VectorFormat, format_of

__all__ = ["HEAD_BYTES", "Rejoined", "looks_like_vectors", "peek"]

HEAD_BYTES = 1 << 16  # enough for a long text before the first embedding

_NUMBER = r"-?[0-9]+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]*)?"
_ROWS = re.compile(
    rf"\s*\[\s*\[\s*{_NUMBER}(?:\s*,\s*{_NUMBER})*\s*(?:,\s*-?)?(?:\Z|\]\s*(?:\Z|,\s*(?:\Z|\[)|\]\s*\Z))"
)
_TOKEN = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)(?:"|\Z)|([\[\]{},:])|([^\s\[\]{},:"]+))', re.DOTALL)
_Path = tuple[str | int, ...]
_BASE64 = re.compile(r'"[A-Za-z0-9+/]{16,}={0,2}')
_DIGIT = re.compile(r"-?[0-9].*", re.DOTALL)
_EVIDENCE = {
    ("embedding", 0): (_DIGIT, VectorFormat.JSONL),
    (0, "embedding", 0): (_DIGIT, VectorFormat.JSON),
    (0, "embedding"): (_BASE64, VectorFormat.JSON),
    ("data", 0, "embedding", 0): (_DIGIT, VectorFormat.JSON),
    ("data", 0, "embedding"): (_BASE64, VectorFormat.JSON),
    ("data", 0, "object"): (re.compile('"embedding'), VectorFormat.JSON),
}
# A failed text in JSON Lines of simil: no other record has these members in this order.
_FAILED_LINE = re.compile(r'\{"id":"[^\n]*"embedding":null,"model":"[^"\n]*"\}\n')
_SECOND_ITEMS = ((1,), ("data", 1))  # The first item would have shown it.


def peek(stream: BinaryIO, size: int = HEAD_BYTES) -> tuple[bytes, BinaryIO]:
    """Return the first `size` bytes of `stream` and a stream of all its bytes, including those.

    A stream that can seek is rewound and returned itself; a pipe is read until it has given that many bytes
    or ended.
    """
    if stream.seekable():
        start = stream.tell()
        head = stream.read(size)
        stream.seek(start)
        return head, stream
    head = stream.read(size)
    return head, io.BufferedReader(Rejoined(head, stream))


def looks_like_vectors(head: bytes, source: str) -> VectorFormat | None:
    """Return the format of the vector file that `source` ("-" is stdin) is by its first bytes, or None.

    Only stdin and files whose suffix names a format of vectors are considered: a line of a `.txt` file may
    look like JSON and is a text. More of the head tells more; `HEAD_BYTES` are enough as a rule.
    """
    named = None if source == "-" else format_of(source)
    if named is VectorFormat.NPY:
        return named  # No file of texts is called that.
    if named is None and source != "-":
        return None
    form = sniffed(head)
    if named in (VectorFormat.CSV, VectorFormat.TSV) and form.name != VectorFormat.JSON:
        form = format_named(named)
    look = _LOOKS.get(form.name)
    found = look(head.decode("utf-8", "ignore").removeprefix("\ufeff")) if look else None
    return found if named in (None, found) else None


class Rejoined(io.RawIOBase, BinaryIO):
    """The bytes already read from a stream, followed by the rest of it; unbuffered."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self._head = memoryview(head)
        self._rest = rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        chunk = self._head[: len(buffer)] or memoryview(self._rest.read(len(buffer)))
        self._head = self._head[len(chunk) :]
        buffer[: len(chunk)] = chunk
        return len(chunk)


def _json_form(text: str) -> VectorFormat | None:
    if _ROWS.match(text):
        return VectorFormat.JSON
    if _FAILED_LINE.match(text):
        return VectorFormat.JSONL
    is_list = has_data = False
    for path, token in _tokens(text):
        pattern, form = _EVIDENCE.get(path, (None, None))
        if pattern and pattern.fullmatch(token):
            return form
        if path in _SECOND_ITEMS:
            return None
        is_list = is_list or (path == ("object",) and token == '"list')
        # A list object may be empty.
        has_data = (has_data or (path == ("data",) and token == "[")) and path != ("data", 0)
    return VectorFormat.JSON if is_list and has_data else None


def _tokens(text: str) -> Iterator[tuple[_Path, str]]:
    """Yield path and token of each value within the first JSON value in `text`, as far as it goes.

    An object or list is yielded when it opens, as "{" or "["; a string keeps its opening quote only, and its
    escapes.
    """
    path: list[str | int] = []
    awaiting_key = False
    at = 0
    while found := _TOKEN.match(text, at):
        at = found.end()
        string, mark, other = found.groups()
        if awaiting_key and string is not None:
            path[-1] = string
        elif mark == ":":
            awaiting_key = False
        elif mark and mark in ",]}":
            awaiting_key = bool(path) and _advance(path, mark)
        else:
            yield tuple(path), mark or other or f'"{string}'
            if mark:
                path.append(0 if mark == "[" else "")
                awaiting_key = mark == "{"
        if not path:
            return


def _advance(path: list[str | int], mark: str) -> bool:
    """Advance to the next member, or leave the object or list; return whether a key comes next."""
    if mark != ",":
        path.pop()
        return False
    last = path[-1]
    if isinstance(last, int):
        path[-1] = last + 1
        return False
    return True


def _csv_form(text: str) -> VectorFormat | None:
    try:
        names = next(csv.reader(io.StringIO(text, newline="")), [])
    except csv.Error:
        return None
    return VectorFormat.CSV if _is_vector_header(names, cut="\n" not in text) else None


def _tsv_form(text: str) -> VectorFormat | None:
    names = text.partition("\n")[0].removesuffix("\r").split("\t")
    return VectorFormat.TSV if _is_vector_header(names, cut="\n" not in text) else None


def _is_vector_header(names: list[str], *, cut: bool) -> bool:
    """Return whether columns have an id or model and end with d0, d1 and so on."""
    first, stop = dimension_columns(names)
    if first == stop or not {"id", "model"} & set(names):
        return False
    return stop == len(names) or (cut and stop == len(names) - 1 and f"d{stop - first}".startswith(names[-1]))


# What the text of a head shows, by the format that its first bytes are likely to be.
_LOOKS: dict[str, Callable[[str], VectorFormat | None]] = {
    "npy": lambda text: VectorFormat.NPY,
    "json": _json_form,
    "tsv": _tsv_form,
    "csv": _csv_form,
}

"""Recognizes vector files by their first bytes.

Texts must never be taken for vectors: anything uncertain is None.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence

from simil.formats.detection import TypedSource
from simil.formats.encoding import head_as_utf8
from simil.formats.registry import sniffed, suffix_format
from simil.formats.separators import separator_of
from simil.vectors.arrow_form import holds_vectors
from simil.vectors.table_form import dimension_columns
from simil.vectors.vector_formats import VectorFormat

__all__ = ["as_vectors"]

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


def as_vectors(typed: TypedSource, fields: Sequence[str] = ()) -> TypedSource | None:
    """Return a source as the file of vectors that it is, None if it holds texts.

    Plain text that no suffix calls so may be a table of vectors. Parquet and Arrow may hold both, and
    are texts where `fields` name columns of theirs. Errors as in `Source.head`.
    """
    source, form = typed.source, typed.format
    if form.name in (VectorFormat.PARQUET, VectorFormat.ARROW):
        return typed if holds_vectors(source, fields) else None
    if form.is_binary:
        return None if form.read else typed
    if form.name == VectorFormat.JSON:
        head = source.head(lambda head: len(head) >= HEAD_BYTES or bool(_json_form(_text(head))))
        return typed if _json_form(_text(head)) is VectorFormat.JSON else None
    if form.name == VectorFormat.JSONL:
        head = source.head(lambda head: len(head) >= HEAD_BYTES or bool(_json_form(_text(head))))
        return typed if _json_form(_text(head)) is VectorFormat.JSONL else None
    if form.table is None and suffix_format(source.path) is not None:
        return None
    head = head_as_utf8(source.head(lambda head: b"\n" in head))
    table = form if form.table is not None else sniffed(head)
    look = _LOOKS.get(table.name)
    return TypedSource(source, table) if look and look(_text(head)) else None


def _text(head: bytes) -> str:
    return head_as_utf8(head).decode("utf-8", "ignore")


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
        names = next(csv.reader(io.StringIO(text, newline=""), delimiter=separator_of(text)), [])
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


# What the first line of a table shows.
_LOOKS: dict[str, Callable[[str], VectorFormat | None]] = {
    VectorFormat.TSV: _tsv_form,
    VectorFormat.CSV: _csv_form,
}

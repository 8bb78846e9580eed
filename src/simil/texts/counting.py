"""Estimates how many texts there are before they are read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from simil.formats.detection import TypedSource
from simil.texts.chunks import BETWEEN_PARAGRAPHS
from simil.texts.read_options import InputFormat, ReadOptions

__all__ = ["count_paragraphs", "count_roughly"]

_BY_LINE = {InputFormat.TEXT, InputFormat.JSONL, InputFormat.CSV, InputFormat.TSV}
_CHUNK = 1 << 20
_BETWEEN = re.compile(BETWEEN_PARAGRAPHS.encode("ascii"))


def count_roughly(sources: Sequence[TypedSource], options: ReadOptions) -> int | None:
    """Return the number of lines or rows in all `sources`; None if unknown.

    It is an upper bound for the number of texts, for the progress bar: blank lines and a table's header count
    too. Standard input, JSON documents, workbooks and anything but regular files are unknown.
    """
    if options.whole:
        return len(sources)
    counts = [_rows_in(typed, b"\0" if options.nul else b"\n") for typed in sources]
    return None if None in counts else sum(filter(None, counts))


def count_paragraphs(sources: Sequence[TypedSource]) -> int | None:
    """Return the number of paragraphs in all `sources`; None if one is not a regular file of plain text.

    It is an upper bound like that of `count_roughly`: what stands before a leading blank line counts, too.
    """
    counts = [_paragraphs_in(typed) for typed in sources]
    return None if None in counts else sum(filter(None, counts))


def _paragraphs_in(typed: TypedSource) -> int | None:
    path = Path(typed.source.path)
    try:
        is_text = typed.format.name == InputFormat.TEXT and not typed.is_document
        if typed.source.is_stdin or not is_text or not path.is_file():
            return None
        # The reader holds a file that is split into paragraphs as a whole, too.
        return 1 + sum(1 for _ in _BETWEEN.finditer(path.read_bytes()))
    except OSError:
        return None


def _rows_in(typed: TypedSource, separator: bytes) -> int | None:
    if typed.format.types is not None:
        from simil.formats.columnar import count_rows

        return count_rows(typed.source)
    path = Path(typed.source.path)
    try:
        has_lines = typed.format.name in _BY_LINE and not typed.is_document
        if typed.source.is_stdin or not has_lines or not path.is_file():
            return None
        return _count(path, separator)
    except OSError:
        return None


def _count(path: Path, separator: bytes) -> int:
    """Count separators, and a last text without one."""
    count, last = 0, separator
    with path.open("rb", buffering=0) as stream:
        while chunk := stream.read(_CHUNK):
            count += chunk.count(separator)
            last = chunk[-1:]
    return count + (last != separator)

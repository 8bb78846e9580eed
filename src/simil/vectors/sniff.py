"""Tells files of vectors from texts by what they hold, however far into them that takes.

Texts must never be taken for vectors: anything uncertain is None.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

from simil.errors import InputError
from simil.formats.delimited import Delimited
from simil.formats.detection import TypedSource
from simil.formats.encoding import document, head_as_utf8
from simil.formats.record_stream import FormatOptions
from simil.formats.registry import sniffed, suffix_format
from simil.formats.sources import Source
from simil.formats.tables import rows_of
from simil.vectors.arrow_form import holds_vectors
from simil.vectors.embedding_values import is_embedding
from simil.vectors.json_form import LIST_HEAD
from simil.vectors.json_shapes import has_vectors
from simil.vectors.table_form import dimension_columns, list_column
from simil.vectors.vector_formats import COLUMNAR, VectorFormat

__all__ = ["as_vectors"]

_DEFAULTS = FormatOptions()
# A text that failed, as simil writes it.
_FAILED = ({"id", "text", "embedding", "model"}, {"id", "text", "fields", "embedding", "model"})


def as_vectors(
    typed: TypedSource, options: FormatOptions = _DEFAULTS, fields: Sequence[str] = ()
) -> TypedSource | None:
    """Return a source as the file of vectors that it is, None if it holds texts.

    Plain text that no suffix calls so may be a table of vectors. `options` say what its bytes do not. Parquet
    and Arrow may hold both, and are texts where `fields` name columns of theirs. Errors as in `Source.head`.
    """
    source, form = typed.source, typed.format
    if form.is_binary:
        return typed if _is_vector_binary(typed, fields) else None
    if form.name == VectorFormat.JSON:
        return typed if _is_vector_document(source, options) else None
    if form.name == VectorFormat.JSONL:
        return typed if _LinesLook(options).find(source) else None
    if form.table is None and suffix_format(source.path) is not None:
        return None
    if form.table is None:
        head = source.head(lambda head: b"\n" in head)
        form = sniffed(head_as_utf8(head, options.encoding))
    is_table = form.table is not None and _TableLook(form.table, options).find(source)
    return TypedSource(source, form) if is_table else None


def _is_vector_binary(typed: TypedSource, fields: Sequence[str]) -> bool:
    if typed.format.name in COLUMNAR:
        return holds_vectors(typed.source, fields)
    return typed.format.read is None


def _is_vector_document(source: Source, options: FormatOptions) -> bool:
    head = source.head(lambda head: len(head) > 2 * len(LIST_HEAD))
    if head_as_utf8(head, options.encoding).startswith(LIST_HEAD):
        found = _LinesLook(options, skip=1).find(source)
        if found is not None:
            return found
    try:
        return _has_vectors(_parsed(document(source.whole(), options.encoding))) is True
    except ValueError:
        return False  # Its reader says what is wrong.


class _VectorLook(ABC):
    """Looks as far into a source as it takes to tell what it holds."""

    def __init__(self, options: FormatOptions) -> None:
        self._options = options
        self._found: bool | None = None
        self._is_done = False

    def find(self, source: Source) -> bool | None:
        """Return whether the source holds vectors; None if nothing tells."""
        head = source.head(lambda head: self._look(head, is_whole=False))
        if not self._is_done:
            self._look(head, is_whole=True)
        return self._found

    def _look(self, head: bytes, *, is_whole: bool) -> bool:
        text = head_as_utf8(head, self._options.encoding)
        self._look_at(text + b"\n" if is_whole else text[: text.rfind(b"\n") + 1])
        return self._is_done

    @abstractmethod
    def _look_at(self, lines: bytes) -> None:
        """Look at the whole lines that a source begins with."""

    def _settle(self, found: bool | None) -> None:
        self._found, self._is_done = found, True


class _LinesLook(_VectorLook):
    """Looks at values on lines; one with a place for an embedding, but only null there, tells nothing."""

    def __init__(self, options: FormatOptions, skip: int = 0) -> None:
        super().__init__(options)
        self._at = 0
        self._skip = skip

    def _look_at(self, lines: bytes) -> None:
        for line in lines[self._at :].split(b"\n")[:-1]:
            self._at += len(line) + 1
            self._skip -= 1
            if self._skip >= 0 or not line.strip():
                continue
            try:
                value = _parsed(line.rstrip().removesuffix(b","))
            except ValueError:
                return self._settle(None)
            is_failed = isinstance(value, dict) and value.keys() in _FAILED and value["embedding"] is None
            found = True if is_failed else _has_vectors(value)
            if found is not None:
                return self._settle(found)
        return None


class _TableLook(_VectorLook):
    """Looks for columns d0, d1 and so on, or for a cell that holds a list in a column for embeddings."""

    def __init__(self, form: Delimited, options: FormatOptions) -> None:
        super().__init__(options)
        self._form = form

    def _look_at(self, lines: bytes) -> None:
        rows = self._rows(lines)
        header = next(rows, [])
        if not header:
            return None
        if _is_vector_header(header):
            return self._settle(found=True)
        place = list_column(header)
        if place is None:
            return self._settle(found=False)
        for cells in rows:
            cell = cells[place] if place < len(cells) else ""
            if cell.strip():
                return self._settle(is_embedding(cell))
        return None

    def _rows(self, lines: bytes) -> Iterator[Sequence[str]]:
        options = FormatOptions(delimiter=self._options.delimiter)
        try:
            for row in rows_of(self._form, iter([lines]), "", options).rows:
                if isinstance(row, InputError):
                    return
                if row.cells:
                    yield row.cells
        except InputError:  # It is unclear what separates the columns.
            return


def _has_vectors(value: object) -> bool | None:
    try:
        return has_vectors(value)
    except RecursionError:
        return True  # Its reader says so.


def _parsed(data: bytes) -> object:
    import orjson

    return orjson.loads(data)


def _is_vector_header(names: Sequence[str]) -> bool:
    """Return whether columns have an id or model and end with d0, d1 and so on."""
    first, stop = dimension_columns(names)
    return first < stop == len(names) and not {"id", "model"}.isdisjoint(names)

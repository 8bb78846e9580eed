"""CSV and TSV: id, text, model, other fields, then a column for each dimension.

A column "embedding" that holds lists, as pandas and pgvector write them, is read too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from simil.errors import InputError, Place
from simil.formats.delimited import Delimited, Escapes, TableRow
from simil.formats.json_values import json_of, text_of
from simil.formats.passthrough import Frame
from simil.formats.record_stream import FormatOptions
from simil.formats.tables import apart, fitted_cells, rows_of
from simil.vectors.collect import Collector, VectorFile
from simil.vectors.embedded_items import EMBEDDING_KEYS, EmbeddedItem
from simil.vectors.vector_batch import VectorBatch
from simil.vectors.writer import StreamWriter, is_missing

__all__ = ["TableWriter", "dimension_columns", "list_column", "read_table"]

_OWN = ("id", "text", "model")
_DEFAULTS = FormatOptions()
_DIMENSION = re.compile(r"d[0-9]+")


class TableWriter(StreamWriter):
    """Writes one row per vector under a header that the first batch settles.

    A field that is not a string is written as JSON, None as an empty cell.
    """

    def __init__(self, stream: BinaryIO, model: str | None, form: Delimited) -> None:
        super().__init__(stream, model)
        self._form = form
        self._escapes = Escapes()
        self._names: list[str] | None = None

    def _append(self, batch: VectorBatch) -> None:
        names = list(dict.fromkeys(name for fields in batch.fields for name in fields))
        lines = []
        if self._names is None:
            self._check(names)
            dimensions = [f"d{place}" for place in range(batch.vectors.shape[1])]
            lines.append(self._line([*_OWN, *names, *dimensions], "the header"))
        else:
            new = [name for name in names if name not in self._names]
            if new:
                raise InputError(
                    f"the field {new[0]!a} is not in the {self._form.name} header, which is written",
                    hint="write jsonl, where each item has its own fields",
                )
            names = self._names
        separator = self._form.separator.encode("ascii")
        for id_, text, fields, row in zip(batch.ids, batch.texts, batch.fields, batch.vectors, strict=True):
            cells = [id_, text or "", self._model or "", *(text_of(fields.get(name)) for name in names)]
            numbers = b"," * (len(row) - 1) if is_missing(row) else json_of(row)[1:-1]
            lines.append(self._line(cells, ascii(id_)) + separator + numbers.replace(b",", separator))
        self._stream.write(b"\n".join(lines) + b"\n")
        self._names = names

    def _end(self) -> None:
        if self._names is None:
            self._stream.write(self._line(_OWN, "the header") + b"\n")
        self._escapes.report()

    def _check(self, names: Sequence[str]) -> None:
        for name in names:
            if name in _OWN or _DIMENSION.fullmatch(name):
                raise InputError(
                    f"a field is called {name!r}, which is a column of vector files in {self._form.name}",
                    hint="write json or jsonl, where fields are kept apart",
                )

    def _line(self, cells: Sequence[str], whose: str) -> bytes:
        try:
            return self._form.line(cells, self._escapes).encode()
        except UnicodeEncodeError as exc:
            raise InputError(f"{whose} cannot be written as UTF-8: {exc.reason}") from exc


def read_table(
    source: str, chunks: Iterator[bytes], form: Delimited, options: FormatOptions = _DEFAULTS
) -> VectorFile:
    """Read a table with a header; an empty text or model is None, other columns are fields."""
    stream = rows_of(form, chunks, source, options)
    rows = _rows(stream.rows)
    try:
        first_row = next(rows)
    except StopIteration:
        raise InputError("is empty, without even a header", place=Place(source)) from None
    header = first_row.cells
    columns = _columns_of(header, source)
    collector = Collector(source, keeps_raw=options.keeps_raw)
    collector.frame = Frame(head=stream.head + first_row.raw, kind=(stream.separator, *header))
    for line, given, raw in rows:
        if columns.is_without_vectors:
            raise InputError(
                "the header has no column d0, where vectors begin, and no column embedding",
                place=Place(source, 1),
            )
        cells = fitted_cells(columns.names, given)
        if cells is None:
            raise collector.fault(f"has {len(given)} columns, the header has {len(header)}", line)
        collector.add(columns.item(cells, collector, line), line, raw=raw)
    return collector.finish()


@dataclass(frozen=True, slots=True)
class _VectorColumns:
    """What the columns of a table hold, by their places.

    `own` are id, text and model, `others` are fields, `first` to `stop` are the numbers, unless they are
    written out as a list in one column, `listed`.
    """

    names: Sequence[str]
    own: Mapping[str, int]
    others: Mapping[str, int]
    first: int
    stop: int
    listed: int | None

    @property
    def is_without_vectors(self) -> bool:
        return self.first == self.stop and self.listed is None

    def item(self, cells: Sequence[str], collector: Collector, line: int) -> EmbeddedItem:
        """Return what a row holds; cells of other columns are fields."""
        record: dict[str, object] = {name: cells[place] or None for name, place in self.own.items()}
        if "id" in self.own:  # An id may be empty.
            record["id"] = cells[self.own["id"]]
        record["fields"] = {name: cells[place] for name, place in self.others.items()}
        return EmbeddedItem(self._embedding(cells, collector, line), record, model=record.get("model"))

    def _embedding(self, cells: Sequence[str], collector: Collector, line: int) -> object:
        if self.listed is not None:
            return cells[self.listed].strip() or None
        numbers = cells[self.first : self.stop]
        return _numbers(numbers, collector, line) if any(numbers) else None


def _columns_of(header: Sequence[str], source: str) -> _VectorColumns:
    first, stop = dimension_columns(header)
    listed = list_column(header) if first == stop else None
    for name in (*_OWN, *([] if listed is None else [header[listed]])):
        if header.count(name) > 1:
            raise InputError(
                f"several columns are named {name!r}", hint="rename all but one", place=Place(source, 1)
            )
    own = {name: header.index(name) for name in _OWN if name in header}
    taken = {*range(first, stop), *own.values(), listed}
    names = apart(header)
    others = {name: place for place, name in enumerate(names) if place not in taken}
    return _VectorColumns(names, own, others, first, stop, listed)


def _rows(rows: Iterator[TableRow | InputError]) -> Iterator[TableRow]:
    for row in rows:
        if isinstance(row, InputError):
            raise row
        if row.cells:
            yield row


def dimension_columns(header: Sequence[str]) -> tuple[int, int]:
    """Return where the columns d0, d1, ... begin and end; they begin at the last d0."""
    if "d0" not in header:
        return 0, 0
    first = len(header) - 1 - header[::-1].index("d0")
    stop = first
    while stop < len(header) and header[stop] == f"d{stop - first}":
        stop += 1
    return first, stop


def list_column(header: Sequence[str]) -> int | None:
    """Return the column in which embeddings may be written out as lists, as pandas and pgvector do."""
    return next((header.index(name) for name in EMBEDDING_KEYS[:-1] if name in header), None)


def _numbers(texts: Sequence[str], collector: Collector, line: int) -> list[float]:
    import orjson

    try:
        numbers: list[float] = orjson.loads(f"[{','.join(texts)}]")
    except orjson.JSONDecodeError:
        numbers = []
    if len(numbers) == len(texts) and set(map(type, numbers)) <= {int, float}:
        return numbers
    # Not a number in JSON; other programs write `.5` or `+1`.
    return [_number(text, place, collector, line) for place, text in enumerate(texts)]


def _number(text: str, place: int, collector: Collector, line: int) -> float:
    try:
        if "_" in text:  # Only Python allows it between digits.
            raise ValueError
        return float(text)
    except ValueError:
        raise collector.fault(f"has {text!r} in column d{place}, which is not a number", line) from None

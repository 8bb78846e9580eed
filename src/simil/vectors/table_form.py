"""CSV and TSV: id, text, model, other fields, then a column for each dimension."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from simil.errors import InputError, Place
from simil.formats.delimited import Delimited, Escapes, TableRow
from simil.formats.json_values import json_of, text_of
from simil.formats.record_stream import FormatOptions
from simil.formats.tables import apart, fitted_cells, rows_of
from simil.vectors.collect import Collector, VectorFile
from simil.vectors.vector_batch import VectorBatch
from simil.vectors.writer import VectorWriter, is_missing

__all__ = ["TableWriter", "dimension_columns", "read_table"]

_OWN = ("id", "text", "model")
_DEFAULTS = FormatOptions()
_DIMENSION = re.compile(r"d[0-9]+")


class TableWriter(VectorWriter):
    """Writes one row per vector under a header that the first batch settles.

    A field that is not a string is written as JSON, None as an empty cell.
    """

    def __init__(self, stream: BinaryIO, model: str, form: Delimited) -> None:
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
            cells = [id_, text or "", self._model, *(text_of(fields.get(name)) for name in names)]
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
    rows = _rows(rows_of(form, chunks, source, options).rows)
    try:
        _, header = next(rows)
    except StopIteration:
        raise InputError("is empty, without even a header", place=Place(source)) from None
    first, stop = dimension_columns(header)
    for name in _OWN:
        if header.count(name) > 1:
            raise InputError(
                f"several columns are named {name!r}", hint="rename all but one", place=Place(source, 1)
            )
    own = {name: header.index(name) for name in _OWN if name in header}
    names = apart(header)
    others = [
        (name, place)
        for place, name in enumerate(names)
        if not first <= place < stop and place not in own.values()
    ]
    collector = Collector(source)
    for line, given in rows:
        if first == stop:
            raise InputError("the header has no column d0, where vectors begin", place=Place(source, 1))
        cells = fitted_cells(names, given)
        if cells is None:
            raise collector.fault(f"has {len(given)} columns, the header has {len(header)}", line)
        item: dict[str, object] = {name: cells[place] or None for name, place in own.items()}
        # An id may be empty; only a missing column means that there are none.
        item["id"] = cells[own["id"]] if "id" in own else None
        item["fields"] = {name: cells[place] for name, place in others}
        model = cells[own["model"]] if "model" in own else ""
        if not any(cells[first:stop]):
            collector.leave_out(None)
            continue
        numbers = _numbers(cells[first:stop], collector, line)
        collector.add(numbers, item, model=model or None, line=line)
    return collector.finish()


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

"""CSV (RFC 4180) and TSV: id, text, model, further fields, then a column for each dimension."""

from __future__ import annotations

import contextlib
import csv
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from simil.errors import InputError, Place
from simil.vectors.collect import Collector, VectorFile
from simil.vectors.writer import VectorWriter, encoded, is_missing

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["CSV", "TSV", "TableForm", "TableWriter", "read_table"]

_OWN = ("id", "text", "model")
_DIMENSION = re.compile(r"d[0-9]+")
_NEEDS_QUOTES = re.compile(r'[,"\r\n]')
_ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
_UNESCAPES = {escape: char for char, escape in _ESCAPES.items()}


@dataclass(frozen=True, slots=True)
class TableForm:
    """How cells are set apart."""

    name: str
    separator: str

    def cell(self, text: str) -> str:
        """Return `text` as a cell."""
        if self.separator == "\t":
            return re.sub(r"[\\\t\n\r]", lambda found: _ESCAPES[found[0]], text)
        return '"' + text.replace('"', '""') + '"' if _NEEDS_QUOTES.search(text) else text

    def rows(self, source: str, stream: BinaryIO) -> Iterator[tuple[int, list[str]]]:
        """Yield the line each row begins on, and its cells; blank lines are passed over."""
        return _tsv_rows(source, stream) if self.separator == "\t" else _csv_rows(source, stream)


CSV = TableForm("csv", ",")
TSV = TableForm("tsv", "\t")


class TableWriter(VectorWriter):
    """Writes a row a vector under a header that the first batch settles.

    A field that is not a string is written as JSON, None as an empty cell.
    """

    def __init__(self, stream: BinaryIO, model: str, form: TableForm) -> None:
        super().__init__(stream, model)
        self._form = form
        self._names: list[str] | None = None

    def _append(
        self,
        ids: Sequence[str],
        texts: Sequence[str | None],
        fields: Sequence[Mapping[str, object]],
        rows: NDArray[np.float32],
    ) -> None:
        separator = self._form.separator.encode("ascii")
        names = list(dict.fromkeys(name for more in fields for name in more))
        lines = []
        if self._names is None:
            self._check(names)
            dimensions = [f"d{place}" for place in range(rows.shape[1])]
            lines.append(self._line([*_OWN, *names, *dimensions], "the header"))
        else:
            new = [name for name in names if name not in self._names]
            if new:
                raise InputError(
                    f"the field {new[0]!a} is not in the {self._form.name} header, which is written",
                    hint="write jsonl, where each item has its own fields",
                )
            names = self._names
        for name, text, more, row in zip(ids, texts, fields, rows, strict=True):
            cells = [name, text or "", self._model, *(_as_text(more.get(field)) for field in names)]
            numbers = b"," * (len(row) - 1) if is_missing(row) else encoded(row)[1:-1]
            if separator != b",":
                numbers = numbers.replace(b",", separator)
            lines.append(self._line(cells, ascii(name)) + separator + numbers)
        self._stream.write(b"\n".join(lines) + b"\n")
        self._names = names

    def _end(self) -> None:
        if self._names is None:
            self._stream.write(self._line(_OWN, "the header") + b"\n")

    def _check(self, names: Sequence[str]) -> None:
        for name in names:
            if name in _OWN or _DIMENSION.fullmatch(name):
                raise InputError(
                    f"a field is called {name!r}, as a column of vector files in {self._form.name} is",
                    hint="write json or jsonl, where fields stand apart",
                )

    def _line(self, cells: Sequence[str], whose: str) -> bytes:
        try:
            return self._form.separator.join(map(self._form.cell, cells)).encode()
        except UnicodeEncodeError as exc:
            raise InputError(f"{whose} cannot be written as UTF-8: {exc.reason}") from exc


def read_table(source: str, stream: BinaryIO, form: TableForm) -> VectorFile:
    """Read a table with a header; an empty text or model is none, other columns are fields."""
    rows = form.rows(source, stream)
    try:
        _, header = next(rows)
    except StopIteration:
        raise InputError("is empty, without even a header", place=Place(source)) from None
    first, stop = _dimension_columns(header)
    own = {name: header.index(name) for name in _OWN if name in header}
    others = [
        (name, place)
        for place, name in enumerate(header)
        if not first <= place < stop and place not in own.values()
    ]
    collector = Collector(source)
    for line, cells in rows:
        if first == stop:
            raise InputError("the header has no column d0, where vectors begin", place=Place(source, 1))
        if len(cells) != len(header):
            raise collector.fault(f"has {len(cells)} columns, the header has {len(header)}", line)
        item: dict[str, object] = {name: cells[place] or None for name, place in own.items()}
        # An id can be empty; only a missing column means that there is none.
        item["id"] = cells[own["id"]] if "id" in own else None
        item["fields"] = {name: cells[place] for name, place in others}
        model = cells[own["model"]] if "model" in own else ""
        if not any(cells[first:stop]):
            collector.leave_out(None)
            continue
        numbers = _numbers(cells[first:stop], collector, line)
        collector.add(numbers, item, model=model or None, line=line)
    return collector.finish()


def _dimension_columns(header: Sequence[str]) -> tuple[int, int]:
    """Return where the columns d0, d1, ... begin and end; the last d0 begins them."""
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
    # Something that JSON does not call a number; others write `.5` or `+1`.
    return [_number(text, place, collector, line) for place, text in enumerate(texts)]


def _number(text: str, place: int, collector: Collector, line: int) -> float:
    try:
        if "_" in text:  # which Python allows between digits, and no one else
            raise ValueError
        return float(text)
    except ValueError:
        raise collector.fault(f"has {text!r} in column d{place}, which is not a number", line) from None


def _as_text(value: object) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return encoded(value).decode()


def _lines(source: str, stream: BinaryIO) -> Iterator[str]:
    for number, line in enumerate(stream, 1):
        try:
            text = line.decode()
        except UnicodeDecodeError as exc:
            column = len(line[: exc.start].decode()) + 1
            message = f"byte 0x{line[exc.start]:02x} is not UTF-8"
            raise InputError(message, place=Place(source, number, column)) from exc
        yield text.removeprefix("\ufeff") if number == 1 else text


def _csv_rows(source: str, stream: BinaryIO) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(_lines(source, stream), strict=True)
    while True:
        line = reader.line_num + 1
        try:
            with _long_cells():
                cells = next(reader, None)
        except csv.Error as exc:
            raise InputError(f"not CSV: {exc}", place=Place(source, reader.line_num)) from exc
        if cells is None:
            return
        if cells:
            yield line, cells


@contextlib.contextmanager
def _long_cells() -> Iterator[None]:
    """Lift the csv module's limit of 131,072 characters a cell, which is set for the whole process."""
    before = csv.field_size_limit(sys.maxsize)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _tsv_rows(source: str, stream: BinaryIO) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(_lines(source, stream), 1):
        text = line.removesuffix("\n").removesuffix("\r")
        if text:
            cells = text.split("\t")
            if "\\" in text:
                cells = [re.sub(r"\\[\\tnr]", lambda found: _UNESCAPES[found[0]], cell) for cell in cells]
            yield number, cells

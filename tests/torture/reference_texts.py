"""What a file holds, read a second time: by the standard library, NumPy, pyarrow and openpyxl.

Written from the README, not from `simil.formats`, so that the two can disagree. Where a reader may also
refuse (a number that only some parsers take), `may_refuse` says so; what it reads must be right all the same.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "ANY",
    "TEXTS",
    "BadRecord",
    "Item",
    "Reading",
    "Refused",
    "Row",
    "apart",
    "arrow_rows",
    "arrow_table",
    "check_text",
    "csv_rows",
    "decoded",
    "fitted",
    "is_bad",
    "json_ids",
    "json_value",
    "lines_of",
    "no_constant",
    "outside_quotes",
    "share_numbers",
    "texts_in",
    "without_end",
]

ANY = "<any>"
_MARKS = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe\0\0", "utf-32-le"),
    (b"\0\0\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
# What the first bytes of a file may show it to be.
_BINARY = (
    b"\x1f\x8b",
    b"BZh",
    b"\xfd7zXZ\0",
    b"\x28\xb5\x2f\xfd",
    b"PK\x03\x04",
    b"PK\x05\x06",
    b"7z\xbc\xaf\x27\x1c",
    b"%PDF-",
    b"\xd0\xcf\x11\xe0",
    b"\x89PNG",
    b"\xff\xd8\xff",
    b"\x89HDF",
    b"\x7fELF",
    b"\x93NUMPY",
    b"PAR1",
    b"ARROW1",
    b"SQLite format 3\0",
)
_DEEP, _LONG_NUMBER, _EXACT = 120, 308, 2**53


class Refused(Exception):
    """The file cannot be read at all."""


class BadRecord(Exception):
    """A record cannot be read."""


# A row of a table: its line, its cells or None for what cannot be read, and its bytes.
Row = tuple[int, list[str] | None, bytes | None]


@dataclass(frozen=True, slots=True)
class Item:
    """A record: the ids it may have, its text, its vector, and its bytes where they are known."""

    ids: tuple[str, ...]
    text: str | None
    vector: NDArray[np.float32] | None = None
    raw: bytes | None = None
    fields: Mapping[str, object] | None = None


@dataclass(slots=True)
class Reading:
    """The records of a file in order, how many are blank or empty lines, and how many cannot be read.

    `head` and `tail` are the bytes around the records; None where dedupe need not write what it read.
    """

    items: list[Item] = field(default_factory=list)
    blank: int = 0
    bad: int = 0
    is_refused: bool = False
    may_refuse: bool = False
    is_unknown: bool = False
    empty: int = 0
    form: str = ""
    head: bytes | None = None
    has_vectors: bool = False


def texts_in(data: bytes, form: str, name: str) -> Reading:
    """Read texts in a format of the registry."""
    reading = Reading(form=form)
    try:
        if form not in ("parquet", "arrow", "xlsx"):
            check_text(data, reading)
        TEXTS[form](data, name, reading)
        reading.may_refuse |= share_numbers(reading.items)
    except Refused:
        reading.is_refused = True
    return reading


def check_text(data: bytes, reading: Reading) -> None:
    zeros = [byte == 0 for byte in data[:4]]
    if zeros in ([False, True, False, True], [True, False, True, False]):
        raise Refused
    reading.may_refuse = data.startswith(_BINARY) or data[8:9] == b"{"


def share_numbers(items: Sequence[Item]) -> bool:
    """Whether records without an id may be taken for others whose id is a number."""
    given = {item.ids[0] for item in items if len(item.ids) == 1}
    unnamed = {item.ids[0] for item in items if len(item.ids) > 1}
    return bool(given) and bool(unnamed)


# --- encodings and lines ---


def decoded(data: bytes) -> tuple[str, str]:
    """Return the text, with a surrogate for each byte that is not in the encoding, and the encoding."""
    mark, encoding = next((known for known in _MARKS if data.startswith(known[0])), (b"", "utf-8"))
    data = data[len(mark) :]
    if encoding == "utf-8":
        return data.decode("utf-8", "surrogateescape"), encoding
    text = ""
    while data:
        try:
            return text + data.decode(encoding), encoding
        except UnicodeDecodeError as exc:
            text += data[: exc.start].decode(encoding) + "\udcff"
            data = data[exc.end :]
    return text, encoding


def is_bad(text: str) -> bool:
    return any("\ud800" <= char <= "\udfff" for char in text) if not text.isascii() else False


def lines_of(data: bytes) -> list[tuple[str, bytes | None]]:
    """Return the lines with their ends, and their bytes as dedupe writes them."""
    text, _ = decoded(data)
    ended = re.findall(r"[^\n]*\n|[^\n]+\Z", text)
    if "\n" not in text and "\r" in text:
        return [(f"{line}\n", None) for line in text.split("\r")[:-1]] + [
            (line, None) for line in [text.split("\r")[-1]] if line
        ]
    return [(line, None if is_bad(line) else line.encode()) for line in ended]


def without_end(line: str) -> str:
    return line.removesuffix("\n").removesuffix("\r")


def _is_blank(text: str) -> bool:
    return not text.strip()


# --- texts ---


def _plain(data: bytes, name: str, reading: Reading) -> None:
    reading.head = data[:3] if data.startswith(b"\xef\xbb\xbf") else b""
    for number, (line, raw) in enumerate(lines_of(data), 1):
        text = without_end(line)
        if is_bad(text):
            reading.bad += 1
        elif _is_blank(text):
            reading.blank += 1
        else:
            reading.items.append(Item((str(number),), text, raw=raw))


def _tsv(data: bytes, name: str, reading: Reading) -> None:
    rows: list[Row] = []
    is_first = True
    for number, (line, raw) in enumerate(lines_of(data), 1):
        text = without_end(line)
        is_wrong = is_bad(text) or (is_first and "\r" in text)
        rows.append((number, None if is_wrong else text.split("\t") if text else [], raw))
        is_first = is_first and not text
    _table(rows, name, reading, mark=data[:3] if data.startswith(b"\xef\xbb\xbf") else b"")
    header = next((cells for _, cells, _ in rows if cells), None)
    if header and len(header) == 1 and any(mark in header[0] for mark in ",;|"):
        raise Refused


def _csv(data: bytes, name: str, reading: Reading) -> None:
    lines = [line for line, _ in lines_of(data)]
    separator, skipped = ",", 0
    if lines and (named := re.fullmatch(r'(?i:sep)=([^"\r\n\w])', without_end(lines[0]))):
        separator, skipped = named[1], 1
    else:
        first = outside_quotes("".join(lines))
        others = [mark for mark in ";\t|" if mark in first] if "," not in first else []
        if len(others) > 1:
            raise Refused
        separator = (others or [","])[0]
    rows = [*csv_rows(lines[skipped:], separator, skipped + 1)]
    mark = data[:3] if data.startswith(b"\xef\xbb\xbf") else b""
    _table(rows, name, reading, mark=mark + "".join(lines[:skipped]).encode("utf-8", "replace"))


def outside_quotes(text: str) -> str:
    """Return what of the first row that is not empty stands outside quotes."""
    found, inside, begins = "", False, True
    for char in text:
        if inside:
            inside, begins = char != '"', False
        elif (char == '"' and begins) or (char == '"' and found[-1:] == "\0"):
            inside = True
        elif char == "\n":
            if found.strip("\r\0"):
                break
            found, begins = "", True
            continue
        else:
            found += char
            begins = char in ",;\t|"
            continue
        found += "\0"
    return found


def csv_rows(lines: Sequence[str], separator: str, first: int) -> Iterator[Row]:
    """Read RFC 4180, row by row; a row with a fault ends with its line."""
    is_header, at = True, 0
    while at < len(lines):
        start, reader = at, _CsvRow(separator, is_header=is_header)
        while at < len(lines) and reader.goes_on:
            reader.add(lines[at])
            at += 1
        raw = "".join(lines[start:at])
        row = [] if raw.strip("\r\n") == "" else [*reader.cells, reader.cell]
        is_header = is_header and not row
        is_wrong = reader.is_wrong or reader.state == "quoted"
        yield first + start, None if is_wrong else row, None if is_bad(raw) else raw.encode()


class _CsvRow:
    """Reads the lines of one row, while it `goes_on`."""

    def __init__(self, separator: str, *, is_header: bool) -> None:
        self.separator, self.is_header = separator, is_header
        self.cells: list[str] = []
        self.cell, self.state = "", "start"
        self.is_wrong, self.goes_on = False, True

    def add(self, line: str) -> None:
        """Read a line with its end."""
        line = line.removesuffix("\n")
        body = line.rstrip("\r") if self.is_header else line.removesuffix("\r")
        self.is_wrong |= is_bad(line)
        for char in body:
            if self.state == "wrong":
                break
            self._read(char)
        self.goes_on = self.state == "quoted"
        if self.goes_on:
            self.cell += line[len(body) :] + "\n"

    def _read(self, char: str) -> None:
        if self.state == "quoted":
            self.state = "closing" if char == '"' else "quoted"
            self.cell += "" if char == '"' else char
        elif self.state == "closing" and char == '"':
            self.state, self.cell = "quoted", self.cell + char
        elif char == self.separator:
            self.cells.append(self.cell)
            self.state, self.cell = "start", ""
        elif self.state == "closing":
            self.state, self.is_wrong = "wrong", True
        elif self.state == "start" and char == '"':
            self.state = "quoted"
        else:
            self.is_wrong |= char == "\r" and self.is_header
            self.state, self.cell = "open", self.cell + char


def _table(rows: Sequence[Row], name: str, reading: Reading, mark: bytes = b"") -> None:
    header: list[str] | None = None
    head: bytes | None = mark
    for number, cells, raw in rows:
        if header is None:
            if cells is None:
                raise Refused
            head = None if head is None or raw is None else head + raw
            reading.empty += not cells
            if cells:
                header = apart(cells)
                text = _text_column(header)
            continue
        if cells is None:
            reading.bad += 1
            continue
        if not cells:
            reading.empty += 1
            continue
        cells_there = fitted(header, cells)
        if cells_there is None:
            reading.bad += 1
            continue
        values = dict(zip(header, cells_there, strict=True))
        if _is_blank(values[text]):
            reading.blank += 1
            continue
        ids: tuple[str, ...] = (str(number), f"{name}:{number}")
        if "id" in values and text != "id":
            ids = (values["id"],)
        reading.items.append(Item(ids, values[text], raw=raw, fields=values))
    reading.head = head


def apart(names: Sequence[str]) -> list[str]:
    counts, taken, found = Counter(names), set(names), []
    for number, name in enumerate(names, 1):
        if counts[name] > 1:
            name = f"{name}#{number}"  # noqa: PLW2901
            while name in taken:
                name += "#"  # noqa: PLW2901
            taken.add(name)
        found.append(name)
    return found


def _text_column(header: Sequence[str]) -> str:
    if "text" in header:
        return "text"
    named = [name for number, name in enumerate(header, 1) if name not in ("", f"#{number}")]
    only = named or header
    if len(only) == 1:
        return only[0]
    raise Refused


def fitted(header: Sequence[str], cells: Sequence[str]) -> Sequence[str] | None:
    width = len(header)
    if any(cells[width:]):
        return None
    for number, name in enumerate(header[len(cells) :], len(cells) + 1):
        if name not in ("", f"#{number}"):
            return None
    return [*cells[:width], *[""] * (width - len(cells))]


# --- JSON ---


def _number(text: str) -> Any:
    return int(text) if len(text) < _LONG_NUMBER else float("inf")


def no_constant(text: str) -> Any:
    raise ValueError(text)


def json_value(text: str, reading: Reading) -> Any:
    """Return a JSON value; raises `BadRecord`. What parsers differ in sets `may_refuse`."""
    if is_bad(text):
        raise BadRecord
    if text.count("[") + text.count("{") > _DEEP:
        reading.may_refuse = True
    try:
        value = json.loads(text, parse_int=_number, parse_constant=no_constant)
    except (ValueError, RecursionError):
        raise BadRecord from None
    if "\\u" in text and _holds(value, lambda part: isinstance(part, str) and is_bad(part)):
        raise BadRecord
    if _holds(value, lambda part: isinstance(part, float) and abs(part) == float("inf")) or "-0" in text:
        reading.may_refuse = True
    return value


def _holds(value: object, what: Callable[[object], bool]) -> bool:
    pending = [value]
    while pending:
        part = pending.pop()
        if what(part):
            return True
        if isinstance(part, dict):
            pending += [*part.keys(), *part.values()]
        elif isinstance(part, list):
            pending += part
    return False


def _jsonl(data: bytes, name: str, reading: Reading) -> None:
    reading.head = data[:3] if data.startswith(b"\xef\xbb\xbf") else b""
    for number, (line, raw) in enumerate(lines_of(data), 1):
        bare = without_end(line)
        if not bare.strip(" \t\n\r\v\f"):
            reading.empty += 1
            continue
        try:
            _record(json_value(bare, reading), number, name, reading, raw)
        except BadRecord:
            reading.bad += 1


def _json(data: bytes, name: str, reading: Reading) -> None:
    try:
        value = json_value(decoded(data)[0], reading)
    except BadRecord:
        raise Refused from None
    items = value.get("data") if isinstance(value, dict) else value
    if not isinstance(items, list):
        raise Refused
    for number, item in enumerate(items, 1):
        try:
            _record(item, number, name, reading, None)
        except BadRecord:
            reading.bad += 1


def _record(value: object, number: int, name: str, reading: Reading, raw: bytes | None) -> None:
    if value is None:
        reading.blank += 1
        return
    values = {"text": value} if isinstance(value, str) else value
    if not isinstance(values, dict) or "text" not in values:
        raise BadRecord
    text = values["text"]
    if text is not None and not isinstance(text, str):
        raise BadRecord
    if text is None or _is_blank(text):
        reading.blank += 1
        return
    ids = json_ids(values, number, name)
    reading.items.append(Item(ids, text, raw=raw, fields=values))


def json_ids(values: Mapping[str, object], number: int, name: str) -> tuple[str, ...]:
    if "id" not in values:
        return (str(number), f"{name}:{number}")
    given = values["id"]
    if isinstance(given, str):
        return (given,)
    if given is None or isinstance(given, list | dict):
        raise BadRecord
    if isinstance(given, bool):
        return (json.dumps(given),)
    if isinstance(given, float):
        if abs(given) >= _EXACT:
            raise BadRecord
        return (ANY,)
    return (str(given),) if given else (ANY,)


# --- binary texts ---


def arrow_table(data: bytes, form: str) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        if form == "parquet":
            table = pq.ParquetFile(io.BytesIO(data)).read()
        else:
            with pa.ipc.open_file(io.BytesIO(data)) as reader:
                table = reader.read_all()
        # Offsets that a damaged file has would be followed anywhere.
        table.validate(full=True)
    except Exception:  # noqa: BLE001 (of whatever kind)
        raise Refused from None
    return table


def _arrow_texts(form: str) -> Callable[[bytes, str, Reading], None]:
    def read(data: bytes, name: str, reading: Reading) -> None:
        table = arrow_table(data, form)
        names = table.schema.names
        if "text" not in names and len(names) != 1:
            raise Refused
        for number, values in enumerate(arrow_rows(table), 1):
            try:
                _record({"text": None, **values}, number, name, reading, None)
            except BadRecord:
                reading.bad += 1

    return read


def arrow_rows(table: Any) -> list[dict[str, object]]:
    try:
        rows: list[dict[str, object]] = table.to_pylist()
    except Exception:  # noqa: BLE001 (of whatever kind)
        raise Refused from None
    return rows


def _workbook(data: bytes, name: str, reading: Reading) -> None:
    import openpyxl

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if archive.testzip() is not None:  # Whether anybody needs the damaged part is up to the reader.
                raise ValueError
            sheet = archive.read("xl/worksheets/sheet1.xml").decode()
        # Readers differ in what they make of a cell of an unknown type, or in an odd place.
        if re.findall(r' t="([^"]*)"', sheet) != ["inlineStr"] * sheet.count("<c ") or not _is_in_order(
            sheet
        ):
            raise ValueError
        book = openpyxl.load_workbook(io.BytesIO(data), data_only=True)
        rows = [
            (number, [_cell(cell) for cell in row], None)
            for number, row in enumerate(book.worksheets[0].iter_rows(values_only=True), 1)
        ]
    except Exception:  # noqa: BLE001 (of whatever kind)
        # openpyxl is stricter in some things: then nothing is said about the file.
        reading.is_unknown = True
        return
    rows = [(number, cells if any(cells) else [], None) for number, cells, _ in rows]
    _table(rows, name, reading)
    reading.head = None


def _is_in_order(sheet: str) -> bool:
    """Whether rows and cells stand where they say."""
    cells = re.findall(r'<c r="([A-Z]+)([0-9]+)"', sheet)
    places = [(int(row), len(column), column) for column, row in cells]
    rows = [int(row) for row in re.findall(r'<row r="([0-9]+)"', sheet)]
    return (
        len(cells) == sheet.count("<c ")
        and places == sorted(set(places))
        and rows == sorted({row for row, *_ in places})
    )


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        return str(int(value))
    return str(value)


TEXTS: dict[str, Callable[[bytes, str, Reading], None]] = {
    "text": _plain,
    "csv": _csv,
    "tsv": _tsv,
    "jsonl": _jsonl,
    "json": _json,
    "parquet": _arrow_texts("parquet"),
    "arrow": _arrow_texts("arrow"),
    "xlsx": _workbook,
}

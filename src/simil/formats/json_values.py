"""JSON documents and JSON Lines: bytes to records, and rows to bytes."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date, time, timedelta
from typing import Any

from simil.errors import InputError, Place
from simil.formats.encoding import Utf8Chunks, bad_byte_in_lines
from simil.formats.json_spans import list_frame, member_spans
from simil.formats.lines import lines, without_end
from simil.formats.passthrough import Frame
from simil.formats.record_stream import FormatOptions, Record, RecordStream
from simil.formats.sources import Source

__all__ = [
    "exact",
    "json_lines",
    "json_of",
    "json_records",
    "jsonl_lines",
    "jsonl_records",
    "kind_of",
    "outline_of",
    "parsed",
    "text_of",
]

_BEYOND_64_BITS = 2.0**63
_LISTED = 8
_NOT_LINES = (
    "for a file with one JSON value per line pass --input-format jsonl, for plain text --input-format text"
)
_NOT_ONE = (
    "each line must be one JSON value; for one document over many lines pass --input-format json, "
    "for plain text --input-format text"
)


def parsed(data: bytes, place: Place, *, hint: str = "", encoding: str = "utf-8") -> Any:
    """The JSON value in `data`, which begins on the line of `place`, and was in `encoding`.

    Integers beyond 64 bits become floats; `exact` gives them back. Raises InputError with `hint` and the
    line and column of the first fault.
    """
    import orjson

    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as exc:
        try:
            data.decode()
        except UnicodeDecodeError as bad:
            raise bad_byte_in_lines(data, bad, place, encoding) from exc
        line = (place.line or 1) + exc.lineno - 1
        where = Place(place.source, line, exc.colno)
        raise InputError(f"not valid JSON: {exc.msg}", hint=hint, place=where) from exc


def exact(value: object, data: bytes, beside: Collection[str] = ()) -> Any:
    """The value of `data` with its integers as they are, where orjson may have rounded one to a float.

    Numbers under the keys `beside` are taken for floats.
    """
    import json

    try:
        return json.loads(data) if _may_be_rounded(value, beside) else value
    except (ValueError, RecursionError):  # More digits or depth than Python reads; what uses it refuses it.
        return value


def _may_be_rounded(value: object, beside: Collection[str]) -> bool:
    if isinstance(value, float):
        return abs(value) >= _BEYOND_64_BITS
    if isinstance(value, dict):
        return any(_may_be_rounded(item, beside) for key, item in value.items() if key not in beside)
    if not isinstance(value, list) or not value:
        return False
    if set(map(type, value)) <= {int, float}:
        return bool(max(value) >= _BEYOND_64_BITS or min(value) <= -_BEYOND_64_BITS)
    return any(_may_be_rounded(item, beside) for item in value)


def jsonl_records(
    chunks: Iterator[bytes], name: str, encoding: str | None = None, *, limit: int = sys.maxsize
) -> Iterator[Record | InputError]:
    """The JSON value of each line; None for an empty line, an error for one that is not JSON.

    Raises InputError for a line that is longer than `limit` bytes.
    """
    decoded = Utf8Chunks(chunks, encoding)
    for number, raw in enumerate(lines(decoded, name, limit=limit), 1):
        place, line = Place(name, number), without_end(raw)
        try:
            value, is_empty = None, not line.strip()
            if not is_empty:
                value = exact(parsed(line, place, hint=_NOT_ONE, encoding=decoded.encoding), line)
        except InputError as error:
            yield error
        else:
            yield Record(place, value, is_empty, raw)


def json_records(source: Source, options: FormatOptions) -> RecordStream:
    """The items of a JSON array, or of the array under "data" of an object; read as a whole.

    The place's line is the item's number. Raises InputError if the document is not JSON, has a byte that
    cannot be decoded, or is neither of the two.
    """
    decoded, name = Utf8Chunks(source.document(), options.encoding), source.name
    data = b"".join(decoded)
    value = exact(parsed(data, Place(name, 1), hint=_NOT_LINES, encoding=decoded.encoding), data)
    items = value.get("data") if isinstance(value, dict) else value
    if not isinstance(items, list):
        found = outline_of(value) + (', without an array "data"' if isinstance(value, dict) else "")
        hint = f'give an array of records, or an object that holds one under "data"; {_NOT_LINES}'
        raise InputError(f"the document is {found}", hint=hint, place=Place(name))
    frame: Frame | None = None
    raws = [b""] * len(items)
    if options.keeps_raw:
        frame, raws = list_frame(data, member_spans(data)["data"][0] if isinstance(value, dict) else 0)
    numbered = enumerate(zip(items, raws, strict=True), 1)
    records = (Record(Place(name, number), item, raw=raw) for number, (item, raw) in numbered)
    return RecordStream(records, Place(name), frame=frame)


def jsonl_lines(rows: Iterable[Mapping[str, object]], facts: Mapping[str, object]) -> Iterator[bytes]:
    """A line for each row, with what holds for all of them behind it."""
    for row in rows:
        yield json_of({**row, **facts}) + b"\n"


def json_lines(rows: Iterable[Mapping[str, object]], facts: Mapping[str, object]) -> Iterator[bytes]:
    """The lines of one object: what holds for all rows, and a row per line under "data"."""
    yield json_of(facts)[:-1] + (b',"data":[' if facts else b'"data":[')
    for number, row in enumerate(rows):
        yield (b",\n" if number else b"\n") + json_of(row)
    yield b"\n]}\n"


def json_of(value: object) -> bytes:
    """One line of JSON; NumPy's float32 numbers and arrays have the shortest digits that give them back.

    Dates and times are strings in ISO 8601, bytes are in base64, decimal numbers are strings of their digits.
    Raises InputError for what JSON in UTF-8 cannot hold, such as half of a surrogate pair.
    """
    import orjson

    try:
        try:
            return orjson.dumps(value, _as_json, orjson.OPT_SERIALIZE_NUMPY)
        except orjson.JSONEncodeError as exc:
            if "64-bit" not in str(exc):
                raise
            return orjson.dumps(_with_digits(value), _as_json, orjson.OPT_SERIALIZE_NUMPY)
    except orjson.JSONEncodeError as exc:
        about = f"{value['id']!a} " if isinstance(value, dict) and "id" in value else ""
        raise InputError(f"{about}cannot be written as JSON: {exc}") from exc


def text_of(value: object) -> str:
    """A value as the text of a cell: a string as it is, nothing for None, others in JSON, without quotes."""
    if value is None or isinstance(value, str):
        return value or ""
    written = json_of(value).decode()
    # Of what has no escapes in JSON: dates, bytes, decimal numbers.
    return written[1:-1] if written.startswith('"') else written


def _with_digits(value: object) -> object:
    """The value with integers beyond 64 bits as the digits that orjson puts into its output."""
    import orjson

    if type(value) is int and abs(value) >= _BEYOND_64_BITS:
        return orjson.Fragment(str(value).encode())
    if isinstance(value, dict):
        return {key: _with_digits(item) for key, item in value.items()}
    return [*map(_with_digits, value)] if isinstance(value, list | tuple) else value


def kind_of(value: object) -> str:
    """What a value is called in JSON, with its article; dates, bytes and others have none of its names."""
    if value is None:
        return "null"
    names = {bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "an array"}
    return names.get(type(value)) or ("an object" if isinstance(value, dict) else f"a {type(value).__name__}")


def outline_of(value: object) -> str:
    """What a JSON value is, for a message: an object by its keys, an array by its length and first item."""
    if isinstance(value, dict) and value:
        more = f" and {len(value) - _LISTED} more" if len(value) > _LISTED else ""
        return f"an object with {', '.join(map(repr, [*value][:_LISTED]))}{more}"
    if isinstance(value, list) and value:
        return f"an array of {len(value)}, the first {outline_of(value[0])}"
    if isinstance(value, dict | list):
        return "an empty object" if isinstance(value, dict) else "an empty array"
    return kind_of(value)


def _as_json(value: object) -> object:
    """What stands in JSON for a value that it has no form for."""
    import base64
    from decimal import Decimal

    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, Decimal | timedelta):
        return str(value)
    if isinstance(value, date | time):  # Of pandas, which derives from them.
        return value.isoformat()
    if isinstance(value, tuple):  # Of Arrow: intervals of months, days and nanoseconds.
        return list(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")

"""JSON Lines, and JSON documents that are an array of records or hold one under "data"."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from simil.errors import InputError, Place
from simil.formats.encoding import bad_byte, decoded
from simil.formats.lines import lines
from simil.texts.records import Record

if TYPE_CHECKING:
    import orjson

__all__ = ["json_records", "jsonl_records", "kind_of"]


def jsonl_records(chunks: Iterator[bytes], name: str) -> Iterator[Record | InputError]:
    """The JSON value of each line; None for an empty line, an error for one that is not JSON."""
    import orjson

    for number, raw in enumerate(lines(chunks), 1):
        place = Place(name, number)
        if not raw.strip():
            yield Record(place, None)
            continue
        try:
            value = orjson.loads(raw)
        except orjson.JSONDecodeError as exc:
            yield _line_error(raw, exc, place)
        else:
            yield Record(place, value)


def json_records(chunks: Iterator[bytes], name: str) -> Iterator[Record]:
    """The items of a JSON array, or of the array under "data" of an object; read as a whole.

    The place's line is the item's number. Raises InputError if the document is not JSON, not UTF-8 or
    neither of the two.
    """
    import orjson

    document = decoded(b"".join(chunks), name)
    try:
        value = orjson.loads(document)
    except orjson.JSONDecodeError as exc:
        raise InputError(
            f"not valid JSON: {exc.msg}",
            hint="for a file with one JSON value a line pass --input-format jsonl",
            place=Place(name, exc.lineno, exc.colno),
        ) from exc
    items = value.get("data") if isinstance(value, dict) else value
    if not isinstance(items, list):
        found = 'an object without an array "data"' if isinstance(value, dict) else kind_of(value)
        raise InputError(
            f"the document is {found}",
            hint='give an array of records, or an object that holds one under "data"; '
            "for one JSON value a line pass --input-format jsonl",
            place=Place(name),
        )
    for number, item in enumerate(items, 1):
        yield Record(Place(name, number), item)


def kind_of(value: object) -> str:
    """What a value is called in JSON, with its article."""
    if value is None:
        return "null"
    names = {bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "an array"}
    return names.get(type(value), "an object")


def _line_error(raw: bytes, exc: orjson.JSONDecodeError, place: Place) -> InputError:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as bad:
        return bad_byte(raw, bad, place)
    return InputError(
        f"not valid JSON: {exc.msg}",
        hint="each line must be one JSON value; for one document over many lines pass --input-format json",
        place=Place(place.source, place.line, exc.colno),
    )

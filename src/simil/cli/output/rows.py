"""Writes results as rows: lines for a pipe, tables in csv and tsv, objects in json and jsonl."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

from simil.cli.output.output_form import check_binary, form_of, form_of_suffix
from simil.cli.output.score_digits import digits, fewer_digits
from simil.errors import UsageError
from simil.formats.delimited import CSV, TSV, Escapes
from simil.formats.json_values import json_of, text_of
from simil.formats.registry import format_named
from simil.formats.tables import AlikeRows, own_name

if TYPE_CHECKING:
    from simil.texts import Text

__all__ = [
    "Row",
    "cell",
    "check_binary",
    "digits",
    "fewer_digits",
    "form_of",
    "form_of_suffix",
    "has_columns",
    "json_of",
    "name_in_json",
    "source_cells",
    "table_row",
    "write_rows",
]

# A cell is a string, a number, None, or anything that JSON can hold; scores are NumPy numbers. The key
# "fields" holds the fields of a record of the input: columns of their own in a table, one object in JSON.
Row = Mapping[str, object]
# Columns of ours that are not written where the input has a column of that name that says the same.
_OF_INPUT = ("id", "text", "content")


def has_columns(form: str) -> bool:
    """Return whether rows in `form` are a table, which has all columns of the input beside ours."""
    return form not in ("plain", "table", "json", "jsonl")


def source_cells(text: Text, *, saved: bool) -> dict[str, object]:
    """Return the cells that say where `text` comes from; saved vectors have no line."""
    return {"file": text.origin.source, "line": None if saved else text.origin.line}


def write_rows(
    rows: Iterable[Row],
    form: str,
    stream: BinaryIO,
    *,
    facts: Mapping[str, object],
    plain: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    types: Mapping[str, Any] | None = None,
    alike: bool = False,
) -> None:
    """Write rows to `stream`: "plain" or a format of the registry.

    `facts` hold for all rows: keys of the one object of json, and of each line of jsonl. `plain` names the
    columns of plain lines (default: all but "fields"); `columns` the header of tsv and csv if there are no
    rows; `types` those of Arrow that other fields have in their source. Rows that are `alike` all have the
    same columns: no table needs to wait for the last of them.
    """
    rows = AlikeRows(rows) if alike else rows
    if types and form != "plain" and format_named(form).types:
        from simil.formats.arrow_rows import arrow_rows

        every = rows if isinstance(rows, AlikeRows) else [*rows]
        sample = every.sample if isinstance(every, AlikeRows) else every
        # A column of ours may have the name of one of the input that is no field, such as the id of a vector.
        known = {name: types[name] for row in sample for name in _fields(row) if name in types}
        stream.writelines(arrow_rows(form, _typed(every), columns or (), known))
    else:
        stream.writelines(_lines(rows, form, facts, plain, columns or ()))
    stream.flush()


def _lines(
    rows: Iterable[Row], form: str, facts: Row, plain: Sequence[str] | None, columns: Sequence[str]
) -> Iterator[bytes]:
    if form == "plain":
        return _plain(rows, plain)
    write = format_named(form).write
    if write is None:
        raise UsageError(f"rows cannot be written as {form}")
    if format_named(form).types:
        rows = _typed(rows)
    elif format_named(form).table:
        rows = _mapped(_cells, _flat(rows))
    else:
        rows = map(_with_name, rows)
    return write(rows, facts, columns)


def name_in_json(name: str) -> object:
    """Return the name of a file as JSON takes it; a byte of it that is not UTF-8 is written as `\\udce9`.

    JSON holds no such bytes. Python reads this back as the name that it knows the file by.
    """
    try:
        name.encode()
    except UnicodeEncodeError:
        import json

        import orjson

        return orjson.Fragment(json.dumps(name).encode())
    return name


def _with_name(row: Row) -> Row:
    file = row.get("file")
    return {**row, "file": name_in_json(file)} if isinstance(file, str) and not file.isascii() else row


def _mapped(change: Callable[[Row], Row], rows: Iterable[Row]) -> Iterable[Row]:
    return rows.mapped(change) if isinstance(rows, AlikeRows) else map(change, rows)


def _cells(row: Row) -> Row:
    return {name: cell(value) for name, value in row.items()}


def _typed(rows: Iterable[Row]) -> Iterable[Row]:
    """Rows whose cells keep their types; in UTF-8, in which another byte of a name is `\\udce9`."""
    return _flat(_mapped(_with_utf8, rows))


def _with_utf8(row: Row) -> Row:
    return {**row, "file": _utf8(row["file"])} if "file" in row else row


def _utf8(name: object) -> object:
    return name.encode("utf-8", "backslashreplace").decode() if isinstance(name, str) else name


def _plain(rows: Iterable[Row], names: Sequence[str] | None) -> Iterator[bytes]:
    for row in rows:
        shown = names or [name for name in row if name != "fields"]
        yield table_row([cell(row.get(name)) for name in shown], "\t")


def _flat(rows: Iterable[Row]) -> Iterable[Row]:
    """The rows with the fields of the input as columns under their own names, after ours."""
    every = rows if isinstance(rows, AlikeRows) else [*rows]
    sample = every.sample if isinstance(every, AlikeRows) else every
    fields = [_fields(row) for row in sample]
    taken = {name for record in fields for name in record}
    same = {
        name
        for name in _OF_INPUT
        if all(
            name not in record or cell(record[name]) == row.get(name)
            for row, record in zip(sample, fields, strict=True)
        )
    }
    names: dict[str, str] = {}

    def flat(row: Row) -> Row:
        record = _fields(row)
        ours = {name: value for name, value in row.items() if name != "fields"}
        for name in ours.keys() - names.keys():
            names[name] = own_name(name, taken)
        shared = {name: value for name, value in ours.items() if name in same and name in taken}
        others = {names[name]: value for name, value in ours.items() if name not in shared}
        return {**others, **record, **{name: record.get(name, value) for name, value in shared.items()}}

    return _mapped(flat, every)


def _fields(row: Row) -> Row:
    found = row.get("fields")
    return found if isinstance(found, Mapping) else {}


def table_row(cells: Sequence[str], separator: str, escapes: Escapes | None = None) -> bytes:
    """Return a line of csv or tsv; cells that tsv cannot hold as they are are counted in `escapes`.

    Names of files have the bytes that the system has.
    """
    form = TSV if separator == "\t" else CSV
    return f"{form.line(cells, escapes or Escapes())}\n".encode("utf-8", "surrogateescape")


def cell(value: object) -> str:
    """Return the text of a cell: nothing for None, six decimals for a score, JSON for other values."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if type(value) in (bool, int, float):  # NumPy's are not, and it may not be loaded yet.
        return json_of(value).decode()
    import numpy as np

    return digits(value) if isinstance(value, np.floating) else text_of(value)

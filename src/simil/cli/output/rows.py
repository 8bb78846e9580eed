"""Writes results as rows: lines for a pipe, tables in csv and tsv, objects in json and jsonl."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

from simil.cli.output.output_form import check_binary, form_of, form_of_suffix
from simil.cli.output.score_digits import digits, fewer_digits
from simil.errors import UsageError
from simil.formats.delimited import CSV, TSV, Escapes
from simil.formats.json_values import json_of, text_of
from simil.formats.registry import Writer, format_named
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
    "utf8_name",
    "write_columns",
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
) -> None:
    """Write rows to `stream`: "plain" or a format of the registry.

    `facts` hold for all rows: keys of the one object of json, and of each line of jsonl. `plain` names the
    columns of plain lines (default: all but "fields"); `columns` the header of tsv and csv if there are no
    rows; `types` those of Arrow that other fields have in their source.
    """
    if form == "plain":
        stream.writelines(_plain(rows, plain))
    elif not has_columns(form):
        stream.writelines(_writer(form)(map(_with_name, rows), facts, ()))
    else:
        every = [*(map(_with_utf8, rows) if format_named(form).types else rows)]
        # A column of ours may have the name of one of the input that is no field, such as the id of a vector.
        fields = {name for row in every for name in _fields(row)}
        known = {name: found for name, found in (types or {}).items() if name in fields}
        write_columns(_flat(every), form, stream, columns or (), known)
    stream.flush()


def write_columns(
    rows: Iterable[Row], form: str, stream: BinaryIO, columns: Sequence[str], types: Mapping[str, Any]
) -> None:
    """Write rows whose keys are columns in a format of tables; `columns` and `types` as in `write_rows`."""
    if format_named(form).types:
        from simil.formats.arrow_rows import arrow_rows

        stream.writelines(arrow_rows(form, rows, columns, types))
    else:
        cells = rows.mapped(_cells) if isinstance(rows, AlikeRows) else map(_cells, rows)
        stream.writelines(_writer(form)(cells, {}, columns))


def _writer(form: str) -> Writer:
    write = format_named(form).write
    if write is None:
        raise UsageError(f"rows cannot be written as {form}")
    return write


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


def _cells(row: Row) -> Row:
    return {name: cell(value) for name, value in row.items()}


def _with_utf8(row: Row) -> Row:
    file = row.get("file")
    return {**row, "file": utf8_name(file)} if isinstance(file, str) else row


def utf8_name(name: str) -> str:
    """Return the name of a file in UTF-8, in which another byte is `\\udce9`."""
    return name.encode("utf-8", "backslashreplace").decode()


def _plain(rows: Iterable[Row], names: Sequence[str] | None) -> Iterator[bytes]:
    for row in rows:
        shown = names or [name for name in row if name != "fields"]
        yield table_row([cell(row.get(name)) for name in shown], "\t")


def _flat(rows: Sequence[Row]) -> Iterator[Row]:
    """The rows with the fields of the input as columns under their own names, after ours."""
    fields = [_fields(row) for row in rows]
    taken = {name for record in fields for name in record}
    same = {
        name
        for name in _OF_INPUT
        if all(
            name not in record or cell(record[name]) == row.get(name)
            for row, record in zip(rows, fields, strict=True)
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

    return map(flat, rows)


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

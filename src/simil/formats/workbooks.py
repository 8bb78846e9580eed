"""Workbooks of Excel and LibreOffice: the rows of one sheet as records, the first row naming the columns."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, time
from typing import Any

from simil.errors import ExtraMissing, InputError, Place
from simil.formats.archives import check_workbook
from simil.formats.file_maps import unchanged
from simil.formats.library_errors import library_errors
from simil.formats.record_stream import FormatOptions, Record, RecordStream
from simil.formats.sources import Source
from simil.formats.tables import apart, has_name, numbered
from simil.near_names import name_one_with

__all__ = ["workbook_records"]

log = logging.getLogger("simil")

_EXACT_INTEGERS = 2**53


def workbook_records(source: Source, options: FormatOptions) -> RecordStream:
    """The rows of the sheet that `options` name, by default the first; cells are strings as in csv.

    A place's line is the number of the row in the sheet. Raises InputError if it is no workbook, or has no
    such sheet.
    """
    place = Place(source.name)
    sheet = _sheet(source, options.sheet, place)
    with library_errors(place, "a sound workbook"):
        rows = _rows(sheet)
    if not rows:
        return RecordStream(iter(()), place, ())
    first = min(rows)
    if options.header:
        columns = apart(rows.pop(first))
    else:
        columns = tuple(str(number) for number in range(1, len(rows[first]) + 1))
    used = [
        at
        for at, name in enumerate(columns)
        if has_name(name, at + 1) or any(cells[at] for cells in rows.values())
    ]
    return RecordStream(
        _records(rows, columns, used, source.name),
        Place(source.name, first),
        tuple(columns[at] for at in used),
    )


def _records(
    rows: Mapping[int, Sequence[str]], columns: Sequence[str], used: Sequence[int], name: str
) -> Iterator[Record]:
    for number, cells in rows.items():
        yield Record(Place(name, number), {columns[at]: cells[at] for at in used} if any(cells) else None)


def _rows(sheet: Any) -> dict[int, list[str]]:
    """Return the cells of each row by its number, from the first row to the last that is not empty."""
    rows = {number: [*map(_text, row)] for number, row in enumerate(sheet.to_python(False), 1)}
    full = [number for number, cells in rows.items() if any(cells)]
    return {number: rows[number] for number in range(full[0], full[-1] + 1)} if full else {}


def _text(value: object) -> str:
    """Return a cell as Excel writes it to csv: whole numbers without a point; dates are in ISO 8601."""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT_INTEGERS:
        return str(int(value))
    return value.isoformat() if isinstance(value, date | time) else str(value)


def _sheet(source: Source, wanted: str | None, place: Place) -> Any:
    calamine = _calamine()
    sound = library_errors(place, "a sound workbook")
    with source.file() as stream, unchanged(stream, source.name), sound:
        check_workbook(stream, place)
        stream.seek(0)
        try:
            book = calamine.CalamineWorkbook.from_filelike(stream)
        except calamine.PasswordError as exc:
            hint = "save it without one"
            raise InputError("is protected by a password", hint=hint, place=place) from exc
        return book.get_sheet_by_name(_named(book.sheet_names, wanted, place))


def _named(names: Sequence[str], wanted: str | None, place: Place) -> str:
    if wanted in names:
        return str(wanted)
    if wanted is None and names:
        if more := ", ".join(map(repr, names[1:])):
            log.warning("%s: only sheet %r is read; --sheet names another: %s", place, names[0], more)
        return names[0]
    if (at := numbered(wanted or "", len(names))) is not None:
        return names[at]
    shown = ", ".join(map(repr, names)) or "none"
    raise InputError(
        f"no sheet {wanted!r}; there are: {shown}",
        hint=name_one_with("--sheet", wanted or "", names),
        place=place,
    )


def _calamine() -> Any:
    try:
        import python_calamine
    except ImportError as exc:
        raise ExtraMissing(
            "workbooks need python-calamine, which is not installed",
            extra="excel",
        ) from exc
    return python_calamine

"""The rows of Parquet and Arrow files and Lance datasets as records."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from simil.errors import InputError, Place
from simil.formats.arrow_library import arrow, arrow_errors
from simil.formats.arrow_schemas import named_vectors
from simil.formats.arrow_values import python_values
from simil.formats.columnar import ColumnTable, open_table
from simil.formats.record_stream import FormatOptions, Record, RecordStream
from simil.formats.sources import Source

__all__ = ["arrow_records"]

log = logging.getLogger("simil")


def arrow_records(
    source: Source, options: FormatOptions, rows: range | None = None, before: int = 0
) -> RecordStream:
    """The rows of a source, all columns but one of vectors; the place's line is the number of the row.

    `rows` are those to read, counted from 0, by default all; `before` are those that come before the source
    where it is one of several files of a folder. Raises InputError if it is no such file.
    """
    table = open_table(source)
    names = list(table.schema.names)
    vectors = named_vectors(table.schema)
    if vectors is not None:
        log.warning("%s: the vectors in column %r are left out", source.name, vectors)
        names.remove(vectors)
    return RecordStream(_records(table, names, rows, before), Place(source.name), tuple(names))


def _records(
    table: ColumnTable, names: list[str], wanted: range | None, before: int
) -> Iterator[Record | InputError]:
    number = before + (wanted.start if wanted else 0)
    for batch in table.batches(names, wanted):
        with arrow_errors(table.place):
            rows = [*_rows(batch, names)]
        for row in rows:
            number += 1
            place = Place(table.place.source, number)
            if isinstance(row, InputError):
                row.place = place
                yield row
            else:
                yield Record(place, row)


def _rows(batch: Any, names: list[str]) -> Iterator[dict[str, object] | InputError]:
    try:
        columns = [python_values(column) for column in batch.columns]
    except (arrow().ArrowException, ValueError, OverflowError) as exc:
        if batch.num_rows > 1:
            for row in range(batch.num_rows):
                yield from _rows(batch.slice(row, 1), names)
            return
        yield InputError(f"the row holds a value that cannot be read: {exc}")
        return
    if not names:
        yield from ({} for _ in range(batch.num_rows))
    for values in zip(*columns, strict=True):
        yield dict(zip(names, values, strict=True))

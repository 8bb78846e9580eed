"""What reading any format gives: records, each with its place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from simil.errors import InputError, Place

__all__ = ["FormatOptions", "Record", "RecordStream"]


@dataclass(frozen=True, slots=True)
class FormatOptions:
    """What a user says about the bytes of a source; None leaves it to the bytes themselves.

    Attributes:
        header: whether the first row of a table names its columns.
        delimiter: what separates the cells of a table.
        encoding: the encoding of the text.
        sheet: the sheet of a workbook.
        collection: the collection of embeddings in a database.
    """

    header: bool = True
    delimiter: str | None = None
    encoding: str | None = None
    sheet: str | None = None
    collection: str | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """One row or JSON value as it was read; `value` is None for null.

    `is_empty` says that there is only an empty line, which is no row and no value.
    """

    place: Place
    value: object
    is_empty: bool = False


@dataclass(frozen=True, slots=True)
class RecordStream:
    """The records of a source; an error stands for one that cannot be read.

    `columns` is None where each record has its own keys; `place` is where the columns are named.
    """

    records: Iterator[Record | InputError]
    place: Place
    columns: tuple[str, ...] | None = None

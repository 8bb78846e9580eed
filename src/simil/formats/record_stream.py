"""What reading any format gives: records, each with its place."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field

from simil.errors import InputError, Place
from simil.formats.passthrough import Frame
from simil.formats.text_limit import MAX_TEXT_BYTES

__all__ = ["FormatOptions", "Record", "RecordStream"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FormatOptions:
    """What a user says about the bytes of a source; None leaves it to the bytes themselves.

    Attributes:
        header: whether the first row of a table names its columns; if not, they are "1", "2", and so on.
        delimiter: what separates the cells of a table; by default, the first row shows it.
        encoding: the encoding of text without a byte order mark; by default UTF-8.
        sheet: the name or number of the sheet of a workbook; by default the first.
        collection: the collection of vectors to read from a database; by default the only one.
        keeps_raw: whether records are to be written as they came.
        max_text_bytes: how long one text may be, with the row or line that it stands in; 0 is without limit.
    """

    header: bool = True
    delimiter: str | None = None
    encoding: str | None = None
    sheet: str | None = None
    collection: str | None = None
    keeps_raw: bool = False
    max_text_bytes: int = MAX_TEXT_BYTES

    @property
    def text_limit(self) -> int:
        """How many bytes a text may have."""
        return self.max_text_bytes or sys.maxsize


@dataclass(frozen=True, slots=True)
class Record:
    """One row or JSON value as it was read; `value` is None for null.

    `is_empty` says that there is only an empty line, which is no row and no value. `raw` is its bytes, in
    UTF-8, with its line end; a `Frame` says what else belongs to it. It may be left out without
    `FormatOptions.keeps_raw`.
    """

    place: Place
    value: object
    is_empty: bool = False
    raw: bytes = field(default=b"", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class RecordStream:
    """The records of a source; an error stands for one that cannot be read.

    `columns` is None where each record has its own keys; `place` is where the columns are named. `frame` is
    what stands around the raw records; None where they cannot be written as they came.
    """

    records: Iterator[Record | InputError]
    place: Place
    columns: tuple[str, ...] | None = None
    frame: Frame | None = None

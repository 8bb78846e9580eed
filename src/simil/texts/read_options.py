"""How to read a source: its format, and which fields hold the text and the id."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from simil.errors import UsageError
from simil.formats.detection import TypedSource, typed
from simil.formats.record_stream import FormatOptions
from simil.formats.registry import suffix_format
from simil.formats.sources import Source

__all__ = ["InputFormat", "ReadOptions", "format_of"]


class InputFormat(StrEnum):
    """The formats of the registry that texts are read from."""

    TEXT = "text"
    JSONL = "jsonl"
    JSON = "json"
    CSV = "csv"
    TSV = "tsv"
    PARQUET = "parquet"
    ARROW = "arrow"
    XLSX = "xlsx"


_TABLES = (InputFormat.CSV, InputFormat.TSV, InputFormat.XLSX)


def format_of(source: str) -> InputFormat:
    """The format that the suffix of `source` means, in upper or lower case; plain text if it means none."""
    form = suffix_format(source)
    return InputFormat(form.name) if form and form.name in [*InputFormat] else InputFormat.TEXT


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How to read; options that contradict each other raise UsageError here, before anything is read.

    `format` overrides the suffix. `fields` name the column or key of the text (two for pairs), `id_field`
    that of the id. `whole` makes a file one text, `nul` separates texts by NUL; with either, a source is
    plain text whatever its suffix. `header` is False for tables whose first row is data: their columns are
    named "1", "2", and so on. `sheet` is the name or number of the sheet of a workbook. With `all_fields` the
    fields of a text are all those of its record, including text and id.
    """

    format: InputFormat | None = None
    fields: tuple[str, ...] = ()
    id_field: str | None = None
    whole: bool = False
    nul: bool = False
    header: bool = True
    sheet: str | None = None
    all_fields: bool = False

    def __post_init__(self) -> None:
        if self.whole and self.nul:
            raise UsageError("--whole and -0 contradict each other", hint="pass one of them")
        if self._plain and self.format not in (None, InputFormat.TEXT):
            raise UsageError(
                f"{self._plain} is for plain text, not for {self.format}", hint=f"leave out {self._plain}"
            )
        if self._plain and self._for_fields:
            raise UsageError(
                f"{self._for_fields} and {self._plain} contradict each other: plain text has no fields",
                hint="pass one of them",
            )
        if not self.header and (self._plain or self.format not in (None, *_TABLES)):
            raise UsageError(f"--no-header is for csv, tsv, xlsx, not for {self.format or InputFormat.TEXT}")

        if self.sheet is not None and (self._plain or self.format not in (None, InputFormat.XLSX)):
            raise UsageError(f"--sheet is for workbooks, not for {self.format or InputFormat.TEXT}")

    @property
    def _plain(self) -> str:
        return "--whole" if self.whole else "-0" if self.nul else ""

    @property
    def _for_fields(self) -> str:
        return "--field" if self.fields else "--id-field" if self.id_field is not None else ""

    @property
    def is_literal(self) -> bool:
        """Whether a source is plain text whatever it looks like, since the user says so."""
        return bool(self._plain) or self.format is InputFormat.TEXT

    @property
    def of_format(self) -> FormatOptions:
        """What they say about the bytes of a source."""
        return FormatOptions(header=self.header, sheet=self.sheet)

    def open(self, source: Source) -> TypedSource:
        """Find out in which format `source` is read; errors as in `typed`."""
        return typed(source, InputFormat.TEXT if self._plain else self.format)

    def check_for(self, formats: Collection[str]) -> None:
        """Raise UsageError if an option applies to none of the `formats` of the sources.

        One source with fields among plain ones is enough.
        """
        if self._for_fields and {*formats} <= {InputFormat.TEXT}:
            raise UsageError(
                f"{self._for_fields} is given, but plain text has no fields",
                hint="pass --input-format csv, tsv, json or jsonl",
            )
        if not self.header and {*formats}.isdisjoint(_TABLES):
            raise UsageError(
                "--no-header is for csv, tsv, xlsx, and no source is one",
                hint="pass --input-format csv, tsv or xlsx",
            )
        if self.sheet is not None and InputFormat.XLSX not in formats:
            raise UsageError(
                "--sheet is for workbooks, and no source is one", hint="pass --input-format xlsx"
            )

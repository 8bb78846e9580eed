"""How to read a source: its format, and which fields hold the text and the id."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from simil.errors import UsageError
from simil.formats.detection import TypedSource, format_of_folder, typed
from simil.formats.documents import document_in
from simil.formats.encoding import check_encoding
from simil.formats.record_stream import FormatOptions
from simil.formats.registry import format_named, suffix_format
from simil.formats.sources import Source

__all__ = ["SEPARATED", "TABLES", "WORKBOOKS", "InputFormat", "ReadOptions", "format_of"]


class InputFormat(StrEnum):
    """The formats of the registry that texts are read from."""

    TEXT = "text"
    JSONL = "jsonl"
    JSON = "json"
    CSV = "csv"
    TSV = "tsv"
    PARQUET = "parquet"
    ARROW = "arrow"
    LANCE = "lance"
    XLSX = "xlsx"


# The formats that have separators, sheets, and a first row that may be data.
SEPARATED = (InputFormat.CSV, InputFormat.TSV)
WORKBOOKS = (InputFormat.XLSX,)
TABLES = (*SEPARATED, *WORKBOOKS)


def format_of(source: str) -> InputFormat:
    """The format that the suffix of `source` means, in upper or lower case; plain text if it means none."""
    form = suffix_format(source)
    return InputFormat(form.name) if form and form.name in [*InputFormat] else InputFormat.TEXT


@dataclass(frozen=True, slots=True)
class ReadOptions(FormatOptions):
    """How to read; options that contradict each other raise UsageError here, before anything is read.

    `format` overrides the suffix. `fields` name the column or key of the text (two for pairs), `id_field`
    that of the id. `whole` makes a file one text, `nul` separates texts by NUL; with either, a source is
    plain text whatever its suffix. With `all_fields` the fields of a text are all those of its record,
    including text and id; with `all_rows` a blank text keeps its place, as one that is missing. What the
    regular expressions `ignored` match is not embedded. With `documents`, files that are called documents are
    read as such, whatever the `format` of the others. What they say about the bytes of a source is in
    `FormatOptions`.
    """

    format: InputFormat | None = None
    fields: tuple[str, ...] = ()
    id_field: str | None = None
    whole: bool = False
    nul: bool = False
    all_fields: bool = False
    ignored: tuple[str, ...] = ()
    documents: bool = False
    all_rows: bool = False

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
        for option, formats in self._for_some_formats():
            if self._plain or self.format not in (None, *formats):
                wrong = self.format or InputFormat.TEXT
                raise UsageError(f"{option} is for {_listed(formats, 'and')}, not for {wrong}")
        if self.delimiter is not None and (len(self.delimiter) != 1 or self.delimiter in '"\r\n'):
            raise UsageError(f"--delimiter cannot be {self.delimiter!r}", hint="give one character, or tab")
        if self.encoding is not None:
            check_encoding(self.encoding)
        if self.ignored:
            from simil.texts.ignored_parts import check_patterns

            check_patterns(self.ignored)

    @property
    def _plain(self) -> str:
        return "--whole" if self.whole else "-0" if self.nul else ""

    @property
    def _for_fields(self) -> str:
        return "--field" if self.fields else "--id-field" if self.id_field is not None else ""

    def _for_some_formats(self) -> Iterator[tuple[str, Sequence[str]]]:
        """Yield the options that are given and are for some formats only, with these formats."""
        if not self.header:
            yield "--no-header", TABLES
        if self.delimiter is not None:
            yield "--delimiter", SEPARATED
        if self.sheet is not None:
            yield "--sheet", WORKBOOKS

    @property
    def is_literal(self) -> bool:
        """Whether a source is plain text whatever it looks like, since the user says so."""
        return bool(self._plain) or self.format is InputFormat.TEXT

    def open(self, source: Source) -> TypedSource:
        """Find out in which format `source` is read; errors as in `typed` and `document_in`.

        A document is read as plain text, unless a format is named; it has no NUL between its texts.
        """
        may_be_document = (self.format is None or self.documents) and not self.nul
        if may_be_document and format_of_folder(source.path) is None:
            document = document_in(source, self.encoding, or_text=self.documents)
            if document is not None:
                return TypedSource(document, format_named(InputFormat.TEXT))
        return typed(source, InputFormat.TEXT if self._plain else self.format, self.encoding)

    def check_field(self) -> None:
        """Raise UsageError if several fields are named, where a text is in one."""
        if len(self.fields) > 1:
            raise UsageError("a text is in one field", hint="pass --field once")

    def check_for(self, formats: Collection[str]) -> None:
        """Raise UsageError if an option applies to none of the `formats` of the sources.

        One source with fields among plain ones is enough.
        """
        if self._for_fields and {*formats} <= {InputFormat.TEXT}:
            raise UsageError(
                f"{self._for_fields} is given, but plain text has no fields",
                hint="pass --input-format csv, tsv, json or jsonl",
            )
        for option, wanted in self._for_some_formats():
            if {*formats}.isdisjoint(wanted):
                raise UsageError(
                    f"{option} is for {_listed(wanted, 'and')}, and no source is one",
                    hint=f"pass --input-format {_listed(wanted, 'or')}",
                )


def _listed(formats: Sequence[str], word: str) -> str:
    *first, last = formats
    return f"{', '.join(first)} {word} {last}" if first else last

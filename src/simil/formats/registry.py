"""The formats that simil knows: their names, suffixes, first bytes, readers and writers.

A new format is one file beside this one and one entry in `FORMATS`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any

from simil.errors import InputError, Place
from simil.formats.binary_marks import (
    ARROW_MAGIC,
    NPY_MAGIC,
    PARQUET_MAGIC,
    SQLITE_MAGIC,
    is_npz,
    is_safetensors,
)
from simil.formats.delimited import CSV, TSV, Delimited
from simil.formats.json_values import json_lines, json_records, jsonl_lines, jsonl_records
from simil.formats.passthrough import Frame
from simil.formats.plain_text import plain_records
from simil.formats.record_stream import FormatOptions, Record, RecordStream
from simil.formats.sources import Source
from simil.formats.tables import table_lines, table_records

__all__ = [
    "FORMATS",
    "Format",
    "format_named",
    "known_suffixes",
    "sniffed",
    "sniffed_binary",
    "suffix_format",
]

Reader = Callable[[Source, FormatOptions], RecordStream]
# From rows, what holds for all of them, and the columns of a table without rows. The cells of tables are
# strings, and they have no place for what holds for all rows.
Writer = Callable[[Iterable[Mapping[str, Any]], Mapping[str, object], Sequence[str]], Iterator[bytes]]


@dataclass(frozen=True, slots=True)
class Format:
    """A format of files.

    Attributes:
        name: what options call it.
        suffixes: the ends of file names that mean it, in lower case.
        begins: whether a file of it may begin with these bytes; `sniffed` asks in the order of `FORMATS`.
        read: gives its records; None if it holds no records.
        write: gives the bytes of rows; None if rows cannot be written in it.
        table: how cells are separated; None if it is no table.
        types: gives the type of each column of a source by its name; None if columns have none.
        is_binary: whether it is something other than text, which its first bytes show for certain.
    """

    name: str
    suffixes: tuple[str, ...]
    begins: Callable[[bytes], bool]
    read: Reader | None = None
    write: Writer | None = None
    table: Delimited | None = None
    types: Callable[[Source], Mapping[str, Any]] | None = None
    is_binary: bool = False


def format_named(name: str) -> Format:
    """The format called `name`; raises KeyError if there is none."""
    return _BY_NAME[name]


def suffix_format(path: str | PurePath) -> Format | None:
    """The format that the suffix of `path` means, in upper or lower case, or None."""
    return _BY_SUFFIX.get(PurePath(path).suffix.lower())


def known_suffixes(names: Collection[str]) -> str:
    """The suffixes of the formats with these names, as a message lists them."""
    return ", ".join(suffix for form in FORMATS if form.name in names for suffix in form.suffixes)


def sniffed_binary(head: bytes) -> Format | None:
    """The format that is not text and has this beginning, or None."""
    return next((form for form in FORMATS if form.is_binary and form.begins(head)), None)


def sniffed(head: bytes) -> Format:
    """The format that a file with the first bytes `head` is likely to have."""
    return next(form for form in FORMATS if form.begins(head))


def _reader(records: Callable[..., Iterator[Record | InputError]]) -> Reader:
    return lambda source, options: RecordStream(
        records(source.chunks(), source.name, options.encoding, limit=options.text_limit),
        Place(source.name),
        frame=Frame(),
    )


def _table(form: Delimited, suffixes: tuple[str, ...], begins: Callable[[bytes], bool]) -> Format:
    return Format(
        form.name,
        suffixes,
        begins,
        read=lambda source, options: table_records(form, source.chunks(), source.name, options),
        write=lambda rows, facts, columns: table_lines(form, rows, columns),
        table=form,
    )


def _arrow(name: str, suffixes: tuple[str, ...], magic: bytes) -> Format:
    # Imported where they are used, as is what reads workbooks: most runs meet neither.
    def read(source: Source, options: FormatOptions) -> RecordStream:
        from simil.formats.arrow_records import arrow_records

        return arrow_records(source, options)

    def write(
        rows: Iterable[Mapping[str, Any]], facts: Mapping[str, object], columns: Sequence[str]
    ) -> Iterator[bytes]:
        from simil.formats.arrow_rows import arrow_rows

        return arrow_rows(name, rows, columns)

    def types(source: Source) -> Mapping[str, Any]:
        from simil.formats.columnar import column_types

        return column_types(source)

    return Format(
        name,
        suffixes,
        lambda head: head.startswith(magic),
        read=read,
        write=write,
        types=types,
        is_binary=True,
    )


def _lance() -> Format:
    form = _arrow("lance", (".lance",), b"")
    # A folder or an address, whose rows are written by whoever keeps vectors.
    return replace(form, begins=lambda head: False, write=None)


def _workbook_records(source: Source, options: FormatOptions) -> RecordStream:
    from simil.formats.workbooks import workbook_records

    return workbook_records(source, options)


def _first_line(head: bytes) -> bytes:
    return head.partition(b"\n")[0]


def _first_character(head: bytes) -> bytes:
    return head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]


FORMATS = (
    Format("npy", (".npy",), lambda head: head.startswith(NPY_MAGIC), is_binary=True),
    _arrow("parquet", (".parquet", ".pq"), PARQUET_MAGIC),
    _arrow("arrow", (".arrow", ".feather", ".ipc"), ARROW_MAGIC),
    _lance(),
    # A ZIP archive, or in old files an OLE one, as documents are too: only the suffix tells.
    Format(
        "xlsx",
        (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"),
        lambda head: False,
        read=_workbook_records,
        is_binary=True,
    ),
    Format("npz", (".npz",), is_npz, is_binary=True),
    Format("safetensors", (".safetensors",), is_safetensors, is_binary=True),
    # The suffixes of databases mean many other things, too.
    Format("sqlite", (), lambda head: head.startswith(SQLITE_MAGIC), is_binary=True),
    Format(
        "json",
        (".json",),
        lambda head: _first_character(head) in (b"[", b"{"),
        read=json_records,
        write=lambda rows, facts, columns: json_lines(rows, facts),
    ),
    Format(
        "jsonl",
        (".jsonl", ".ndjson"),
        lambda head: _first_character(head) == b"{",
        read=_reader(jsonl_records),
        write=lambda rows, facts, columns: jsonl_lines(rows, facts),
    ),
    _table(CSV, (".csv",), lambda head: b"," in _first_line(head) and b"\t" not in _first_line(head)),
    _table(TSV, (".tsv", ".tab"), lambda head: b"\t" in _first_line(head)),
    Format("text", (".txt",), lambda head: True, read=_reader(plain_records)),
)
_BY_NAME = {form.name: form for form in FORMATS}
_BY_SUFFIX = {suffix: form for form in FORMATS for suffix in form.suffixes}

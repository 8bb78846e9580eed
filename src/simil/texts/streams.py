"""Opens a source in its format: the records it holds and, for a table, the columns they share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from simil.errors import InputError, Place
from simil.formats.encoding import without_bom
from simil.formats.sources import Source, chunks
from simil.texts.jsons import json_records, jsonl_records
from simil.texts.plain import plain_records, whole_record
from simil.texts.read_options import InputFormat, ReadOptions
from simil.texts.records import Record
from simil.texts.tables import csv_table, tsv_table

__all__ = ["Stream", "open_stream"]


@dataclass(frozen=True, slots=True)
class Stream:
    """The records of a source. `columns` is None where each record has its own keys.

    `place` is where the columns are named.
    """

    records: Iterator[Record | InputError]
    place: Place
    columns: tuple[str, ...] | None = None


def open_stream(source: Source, options: ReadOptions, stdin: BinaryIO | None) -> Stream:
    """The records of `source`; of a table, the first row is read at once.

    Raises InputError, here or between the records, if the source as a whole cannot be read.
    """
    name = source.name
    place = Place(name)
    arriving = chunks(source, stdin)
    if options.whole:
        return Stream(whole_record(arriving, name), place)
    form = options.format_for(source.path)
    if form is InputFormat.JSON:
        return Stream(json_records(arriving, name), place)
    arriving = without_bom(arriving, name)
    if form is InputFormat.TEXT:
        return Stream(plain_records(arriving, name, nul=options.nul), place)
    if form is InputFormat.JSONL:
        return Stream(jsonl_records(arriving, name), place)
    open_table = csv_table if form is InputFormat.CSV else tsv_table
    table = open_table(arriving, name, header=options.header)
    return Stream(table.records, table.place, table.columns)

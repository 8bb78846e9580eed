"""Some rows of a file, read as texts: their ids, places and errors are those that all of the file gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from simil.errors import InputError, Place
from simil.formats.detection import TypedSource
from simil.formats.record_stream import FormatOptions, Record, RecordStream
from simil.formats.registry import Format, format_named
from simil.formats.sources import Source
from simil.runners.input_source import ByteSpan, InputFile, InputSource
from simil.texts import ReadOptions, Text
from simil.texts.reading import texts_of

__all__ = ["FileSlice", "slice_texts"]

_OF_ARROW = ("parquet", "arrow")


@dataclass(frozen=True, slots=True)
class FileSlice:
    """Some rows of a file.

    Attributes:
        file: the file.
        form: the name of its format.
        rows: how many there are, roughly where the file is not divided.
        start: where they begin: a byte, or the number of a row of Parquet or Arrow, from 0.
        stop: where they end; None for a file that is not divided.
        before: how many lines come before the first, or how many rows before the file in its folder.
        lead: the lines that say how the others are read, such as a header; an empty one where none do.
        encoding: that of the file where its bytes tell it.
        last_number: as in `texts_of`.
    """

    file: InputFile
    form: str
    rows: int
    start: int = 0
    stop: int | None = None
    before: int = 0
    lead: bytes = b""
    encoding: str | None = None
    last_number: int = 0


def slice_texts(
    part: FileSlice,
    options: ReadOptions,
    *,
    several: bool,
    on_blank: Callable[[Place], None],
    on_error: Callable[[InputError], None] | None,
    keeps_failed: bool,
) -> Iterator[Text]:
    """Yield the texts of a slice; all else as in `texts_of`."""
    form, limit = format_named(part.form), options.text_limit
    source: InputSource = InputSource(part.file, text_limit=limit)
    if part.form in _OF_ARROW:
        form = replace(form, read=_rows_reader(part))
    elif part.stop is not None:
        source = ByteSpan(part.file, part.lead, part.start, part.stop, text_limit=limit)
        form = replace(form, read=_lines_reader(form, part))
    return texts_of(
        TypedSource(source, form),
        options,
        several=several,
        on_blank=on_blank,
        on_error=on_error,
        keeps_failed=keeps_failed,
        last_number=part.last_number,
    )


def _rows_reader(part: FileSlice) -> Callable[[Source, FormatOptions], RecordStream]:
    from simil.formats.arrow_records import arrow_records

    rows = None if part.stop is None else range(part.start, part.stop)
    return lambda source, options: arrow_records(source, options, rows, part.before)


def _lines_reader(form: Format, part: FileSlice) -> Callable[[Source, FormatOptions], RecordStream]:
    read = form.read
    assert read is not None
    leading = part.lead.count(b"\n")

    def records(source: Source, options: FormatOptions) -> RecordStream:
        stream = read(source, replace(options, encoding=part.encoding or options.encoding))
        return replace(stream, records=_moved(stream.records, leading, part.before - leading))

    return records


def _moved(records: Iterator[Record | InputError], leading: int, lines: int) -> Iterator[Record | InputError]:
    """Yield the records after the first `leading` lines, each so many `lines` further down in the file."""
    try:
        for record in records:
            if record.place is None or (record.place.line or 0) <= leading:
                continue
            moved = _further(record.place, lines)
            if isinstance(record, InputError):
                record.place = moved
                yield record
            else:
                yield replace(record, place=moved)
    except InputError as error:  # That ends the reading of the file.
        error.place = error.place and _further(error.place, lines)
        raise


def _further(place: Place, lines: int) -> Place:
    return place._replace(line=place.line + lines) if place.line else place

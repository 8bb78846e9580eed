"""Opens a source in its format."""

from __future__ import annotations

from typing import BinaryIO

from simil.errors import Place, UsageError
from simil.formats.plain_text import plain_records, whole_record
from simil.formats.record_stream import RecordStream
from simil.formats.registry import format_named
from simil.formats.sources import Source, chunks
from simil.texts.read_options import ReadOptions

__all__ = ["open_stream"]


def open_stream(source: Source, options: ReadOptions, stdin: BinaryIO | None) -> RecordStream:
    """The records of `source`; the first row of a table is read at once.

    Raises InputError, here or between the records, if the source as a whole cannot be read.
    """
    name = source.name
    arriving = chunks(source, stdin)
    if options.whole:
        return RecordStream(whole_record(arriving, name), Place(name))
    if options.nul:
        return RecordStream(plain_records(arriving, name, nul=True), Place(name))
    form = format_named(options.format_for(source.path))
    if form.read is None:
        raise UsageError(f"texts cannot be read from {form.name}", place=Place(name))
    return form.read(arriving, name, options.header)

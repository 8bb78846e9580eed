"""Parquet files, folders of them, and Arrow files (IPC, also called Feather): read batch by batch, written
row group by row group, never as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from typing import Any, BinaryIO

from simil.errors import InputError, Place
from simil.formats.arrow_library import arrow, arrow_errors
from simil.formats.arrow_values import common_type
from simil.formats.binary_marks import ARROW_MAGIC, PARQUET_MAGIC
from simil.formats.file_maps import unchanged
from simil.formats.part_files import part_files
from simil.formats.sources import Source

__all__ = ["ArrowSink", "ArrowTable"]


# Rows that become Python values at a time.
_BATCH = 4096
# A column of a row group is read in parts of so many bytes, however large the group is.
_BUFFER = 1 << 20


class ArrowTable:
    """The rows of a source: of a Parquet file, an Arrow file or stream, or all Parquet files of a folder.

    Its files are opened one at a time, to look at them and to read them.

    Attributes:
        place: the source, for messages.
        schema: names and types of the columns, and the metadata of the file.
        count: the number of rows; None if only reading all of them tells.
    """

    def __init__(self, source: Source) -> None:
        """Look at the source; raises InputError if it cannot be read, or is no such file."""
        self.place = Place(source.name)
        self._sources = _sources(source)
        looks: list[tuple[Place, Any, int | None]] = []
        for one in self._sources:
            with _opened(one) as part:
                looks.append((part.place, part.schema, part.count))
        with arrow_errors(self.place):
            self.schema = self._common_schema([(place, schema) for place, schema, _ in looks])
        counts = [count for _, _, count in looks]
        self.count = None if None in counts else sum(filter(None, counts))

    def batches(self, columns: Sequence[str] | None = None, rows: range | None = None) -> Iterator[Any]:
        """Yield record batches of a few thousand rows with these columns, by default all of them.

        `rows` are those that are wanted, counted from 0 through all files; by default all.
        """
        names = list(self.schema.names) if columns is None else list(columns)
        first = 0
        for source in self._sources:
            if rows is not None and first >= rows.stop:
                return
            with _opened(source) as part, arrow_errors(part.place):
                for batch in part.batches(names) if rows is None else part.rows(names, rows, first):
                    _check_offsets(batch)
                    for start in range(0, batch.num_rows, _BATCH):
                        yield batch.slice(start, _BATCH).select(names)
                first += part.count or 0

    def _common_schema(self, schemas: Sequence[tuple[Place, Any]]) -> Any:
        """Return the schema of the first file, with types that hold the values of all."""
        schema = schemas[0][1]
        names = schema.names
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise InputError(f"two columns are named {twice!r}", hint="rename one of them", place=self.place)
        for place, other in schemas[1:]:
            if {*other.names} != {*names}:
                missing = min({*other.names} ^ {*names})
                raise InputError(f"not all files of the folder have a column {missing!r}", place=place)
            for number, name in enumerate(names):
                types = schema.field(name).type, other.field(name).type
                common = common_type(*types)
                if common is None:
                    said = f"the column {name!r} is {types[1]}, and {types[0]} in files before it"
                    raise InputError(said, place=place)
                schema = schema.set(number, schema.field(name).with_type(common))
        return schema


class ArrowSink:
    """Writes tables of one schema to a stream, which may be a pipe and stays open."""

    def __init__(self, form: str, stream: BinaryIO, schema: Any, *, plain: str | None = None) -> None:
        """Begin a file in the format `form`, "parquet" or "arrow".

        `plain` is a column of vectors, whose numbers no compression makes smaller.
        """
        pa = arrow()
        self._form = form
        try:
            self._writer = self._opened(_Target(stream), schema, plain)
        except pa.ArrowException as exc:
            raise InputError(f"the columns cannot be written as {form}: {exc}") from exc

    def _opened(self, target: _Target, schema: Any, plain: str | None) -> Any:
        pa = arrow()
        if self._form == "arrow":
            return pa.ipc.new_file(target, schema)
        packed = [name for name in schema.names if name != plain]
        return pa.parquet.ParquetWriter(
            target,
            schema,
            compression=dict.fromkeys(_leaves(schema, packed), "zstd") or "none",
            use_dictionary=_leaves(schema, packed) or False,
            write_statistics=_leaves(schema, packed) or False,
        )

    def write(self, table: Any) -> None:
        """Append a table as one row group."""
        # A file of Arrow has a batch for each chunk.
        table = table.combine_chunks() if self._form == "arrow" else table
        self._writer.write_table(table, table.num_rows or None)

    def close(self) -> None:
        """End the file."""
        self._writer.close()


def _overlap(batches: Iterator[Any], wanted: range, first: int) -> Iterator[Any]:
    """Yield what of the batches is among the rows that are wanted; their own are counted from `first`."""
    for batch in batches:
        if first >= wanted.stop:
            return
        start = max(wanted.start - first, 0)
        part = batch.slice(start, max(wanted.stop - first - start, 0))
        first += batch.num_rows
        if part.num_rows:
            yield part


class _ParquetFile:
    def __init__(self, stream: BinaryIO, place: Place) -> None:
        self.place = place
        # Read ahead, all column chunks of the file would stay in memory.
        self._file = arrow().parquet.ParquetFile(stream, buffer_size=_BUFFER, pre_buffer=False)
        self.schema = self._file.schema_arrow
        self.count: int | None = self._file.metadata.num_rows

    def batches(self, columns: list[str]) -> Iterator[Any]:
        yield from self._groups(columns, range(self._file.num_row_groups))

    def rows(self, columns: list[str], wanted: range, first: int) -> Iterator[Any]:
        # Row groups are what can be skipped without being read.
        sizes = [self._file.metadata.row_group(group).num_rows for group in range(self._file.num_row_groups)]
        starts = [first, *accumulate(sizes, initial=first)][1:-1]
        groups = [
            group
            for group, (start, size) in enumerate(zip(starts, sizes, strict=True))
            if start < wanted.stop and start + size > wanted.start
        ]
        if groups:
            yield from _overlap(self._groups(columns, groups), wanted, starts[groups[0]])

    def _groups(self, columns: list[str], groups: Sequence[int]) -> Iterator[Any]:
        # Names with dots stand for members of structs, too; all columns need none.
        wanted = None if columns == self.schema.names else columns
        yield from self._file.iter_batches(_BATCH, row_groups=list(groups), columns=wanted)


class _ArrowFile:
    def __init__(self, stream: BinaryIO, place: Place) -> None:
        self.place = place
        self._stream = stream
        file = arrow().ipc.open_file(stream)
        self.schema = file.schema
        self.count: int | None = file.count_rows()

    def batches(self, columns: list[str]) -> Iterator[Any]:
        ipc = arrow().ipc
        wanted = [self.schema.get_field_index(name) for name in columns]
        file = ipc.open_file(self._stream, options=ipc.IpcReadOptions(included_fields=wanted))
        yield from map(file.get_batch, range(file.num_record_batches))

    def rows(self, columns: list[str], wanted: range, first: int) -> Iterator[Any]:
        return _overlap(self.batches(columns), wanted, first)


class _ArrowStream:
    count: int | None = None

    def __init__(self, stream: BinaryIO, place: Place) -> None:
        self.place = place
        self._stream = stream
        self.schema = arrow().ipc.open_stream(stream).schema

    def batches(self, columns: list[str]) -> Iterator[Any]:
        self._stream.seek(0)
        yield from arrow().ipc.open_stream(self._stream)

    def rows(self, columns: list[str], wanted: range, first: int) -> Iterator[Any]:
        return _overlap(self.batches(columns), wanted, first)


_Part = _ParquetFile | _ArrowFile | _ArrowStream


def _check_offsets(batch: Any) -> None:
    """Raise pyarrow's error for a batch that points beyond what it holds: pyarrow would read on there.

    A string that is not UTF-8 is an error of its row only, so strings are looked at as bytes.
    """
    pa = arrow()
    bytes_of = {pa.string(): pa.binary(), pa.large_string(): pa.large_binary()}
    for column in batch.columns:
        form = bytes_of.get(column.type)
        column.validate()  # A view of one that is wrong would end the process.
        (column if form is None else column.view(form)).validate(full=True)


class _Target:
    """What pyarrow writes to: a stream that is asked neither to seek nor where it is, and never closed."""

    closed = False

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._written = 0

    def write(self, data: Any) -> int:
        self._stream.write(data)
        self._written += len(data)
        return len(data)

    def tell(self) -> int:
        return self._written

    def flush(self) -> None:
        self._stream.flush()

    def close(self) -> None:
        """Leave it to whoever opened it."""


@contextmanager
def _opened(source: Source) -> Iterator[_Part]:
    """Open a file; raises InputError if it is neither Parquet nor Arrow."""
    place = Place(source.name)
    with source.file() as stream, unchanged(stream, source.name):
        with arrow_errors(place):
            stream.seek(0)  # A regular stdin may have been looked at.
            head = stream.read(len(ARROW_MAGIC))
            stream.seek(0)
            part: _Part
            if head.startswith(PARQUET_MAGIC):
                part = _ParquetFile(stream, place)
            else:
                part = _ArrowFile(stream, place) if head == ARROW_MAGIC else _ArrowStream(stream, place)
        yield part


def _sources(source: Source) -> list[Source]:
    parts = part_files(source.path)
    return [source] if parts is None else [Source(str(part)) for part in parts]


def _leaves(schema: Any, names: Sequence[str]) -> list[str]:
    """Return the paths of the columns of Parquet that keep these: a struct has one for each member."""
    pa = arrow()
    pq = pa.parquet
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, schema):
        pass
    written = pq.ParquetFile(pa.BufferReader(sink.getvalue())).schema
    paths = [written.column(place).path for place in range(len(written.names))]
    return [path for path in paths if path.partition(".")[0] in names or path in names]

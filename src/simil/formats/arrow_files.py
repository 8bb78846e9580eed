"""Parquet files, folders of them, and Arrow files (IPC, also called Feather): read batch by batch, written
row group by row group, never as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import Any, BinaryIO

from simil.errors import InputError, Place
from simil.formats.arrow_library import arrow, arrow_errors
from simil.formats.arrow_values import common_type
from simil.formats.binary_marks import ARROW_MAGIC, PARQUET_MAGIC
from simil.formats.part_files import part_files
from simil.formats.sources import Source

__all__ = ["ArrowSink", "ArrowTable", "column_types", "count_rows"]


# Rows that become Python values at a time.
_BATCH = 4096
# A column of a row group is read in parts of so many bytes, however large the group is.
_BUFFER = 1 << 20


class ArrowTable(AbstractContextManager["ArrowTable"]):
    """The rows of a source: of a Parquet file, an Arrow file or stream, or all Parquet files of a folder.

    Attributes:
        place: the source, for messages.
        schema: names and types of the columns, and the metadata of the file.
        count: the number of rows; None if only reading all of them tells.
    """

    def __init__(self, source: Source) -> None:
        """Open the source; raises InputError if it cannot be read, or is no such file."""
        self.place = Place(source.name)
        self._stack = ExitStack()
        with self._stack:
            self._parts = [self._opened(source) for source in _sources(source)]
            self.schema = self._common_schema()
            self._stack = self._stack.pop_all()
        counts = [part.count for part in self._parts]
        self.count = None if None in counts else sum(filter(None, counts))

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[Any]:
        """Yield record batches of a few thousand rows with these columns, by default all of them."""
        names = list(self.schema.names) if columns is None else list(columns)
        for part in self._parts:
            with arrow_errors(part.place):
                for batch in part.batches(names):
                    for start in range(0, batch.num_rows, _BATCH):
                        yield batch.slice(start, _BATCH).select(names)

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _opened(self, source: Source) -> _Part:
        stream = self._stack.enter_context(source.file())
        place = Place(source.name)
        with arrow_errors(place):
            stream.seek(0)  # A regular stdin may have been looked at.
            head = stream.read(len(ARROW_MAGIC))
            stream.seek(0)
            if head.startswith(PARQUET_MAGIC):
                return _ParquetFile(stream, place)
            return _ArrowFile(stream, place) if head == ARROW_MAGIC else _ArrowStream(stream, place)

    def _common_schema(self) -> Any:
        """Return the schema of the first file, with types that hold the values of all."""
        schema = self._parts[0].schema
        names = schema.names
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise InputError(f"two columns are named {twice!r}", hint="rename one of them", place=self.place)
        for part in self._parts[1:]:
            if {*part.schema.names} != {*names}:
                other = min({*part.schema.names} ^ {*names})
                raise InputError(f"not all files of the folder have a column {other!r}", place=part.place)
            for place, name in enumerate(names):
                types = schema.field(name).type, part.schema.field(name).type
                common = common_type(*types)
                if common is None:
                    said = f"the column {name!r} is {types[1]}, and {types[0]} in files before it"
                    raise InputError(said, place=part.place)
                schema = schema.set(place, schema.field(name).with_type(common))
        return schema


class ArrowSink:
    """Writes tables of one schema to a stream, which may be a pipe and stays open."""

    def __init__(self, form: str, stream: BinaryIO, schema: Any, *, plain: str | None = None) -> None:
        """Begin a file in the format `form`, "parquet" or "arrow".

        `plain` is a column of vectors, whose numbers no compression makes smaller.
        """
        pa = arrow()
        self._form = form
        self._target = _Target(stream)
        if form == "arrow":
            self._writer = pa.ipc.new_file(self._target, schema)
            return
        packed = [name for name in schema.names if name != plain]
        self._writer = pa.parquet.ParquetWriter(
            self._target,
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


def column_types(source: Source) -> Mapping[str, Any]:
    """Return the type of each column of a source; errors as in `ArrowTable`."""
    with ArrowTable(source) as table:
        return {field.name: field.type for field in table.schema}


def count_rows(source: Source) -> int | None:
    """Return the number of rows of a source, None if only reading all of them tells."""
    with ArrowTable(source) as table:
        return table.count


class _ParquetFile:
    def __init__(self, stream: BinaryIO, place: Place) -> None:
        self.place = place
        # Read ahead, all column chunks of the file would stay in memory.
        self._file = arrow().parquet.ParquetFile(stream, buffer_size=_BUFFER, pre_buffer=False)
        self.schema = self._file.schema_arrow
        self.count: int | None = self._file.metadata.num_rows

    def batches(self, columns: list[str]) -> Iterator[Any]:
        # Names with dots stand for members of structs, too; all columns need none.
        wanted = None if columns == self.schema.names else columns
        yield from self._file.iter_batches(_BATCH, columns=wanted)


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


class _ArrowStream:
    count: int | None = None

    def __init__(self, stream: BinaryIO, place: Place) -> None:
        self.place = place
        self._stream = stream
        self.schema = arrow().ipc.open_stream(stream).schema

    def batches(self, columns: list[str]) -> Iterator[Any]:
        self._stream.seek(0)
        yield from arrow().ipc.open_stream(self._stream)


_Part = _ParquetFile | _ArrowFile | _ArrowStream


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

"""Vectors in Parquet and Arrow: a column of lists of float32 beside id, text and a column for each field."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

from simil.errors import InputError, ModelMismatch, Place
from simil.formats.arrow_files import ArrowSink
from simil.formats.arrow_library import arrow, arrow_errors
from simil.formats.arrow_schemas import ColumnRoles, model_of, named_vectors, vector_column
from simil.formats.arrow_values import is_text, python_values
from simil.formats.columnar import ColumnTable, open_table
from simil.formats.sources import Source
from simil.vectors.array_rows import as_float32, without_missing
from simil.vectors.collect import VectorFile
from simil.vectors.embedded_items import key_of
from simil.vectors.embedding_values import is_embedding
from simil.vectors.vector_columns import ColumnsWriter, DecidedColumns, VectorColumns

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["ArrowWriter", "holds_vectors", "read_arrow", "read_table_of"]

log = logging.getLogger("simil")

_NO_FIELDS: Mapping[str, object] = {}


def holds_vectors(source: Source, fields: Sequence[str] = ()) -> bool:
    """Return whether a source is read as vectors: a column holds them, and none of `fields` is a column.

    Errors as in `open_table`; raises `InputError` if a column holds vectors only as other than numbers.
    """
    with arrow_errors(Place(source.name)):
        return _holds_vectors(open_table(source), fields)


def _holds_vectors(table: ColumnTable, fields: Sequence[str]) -> bool:
    if not {*fields}.isdisjoint(table.schema.names):
        return False
    if vector_column(table.schema) is not None:
        return True
    key = key_of(dict.fromkeys(table.schema.names))
    if key is not None and is_embedding(_first_value(table, key)):
        raise InputError(
            f"column {key!r} holds vectors that are not lists of numbers but {table.schema.field(key).type}",
            hint="write lists of float32, or read texts with --field NAME",
            place=table.place,
        )
    return False


def _first_value(table: ColumnTable, name: str) -> object:
    for batch in table.batches([name]):
        values = batch.column(0).drop_null()
        if len(values):
            value: object = values[0].as_py()
            return value
    return None


def read_arrow(source: Source) -> VectorFile:
    """Read the column of vectors, and what belongs to each from the others; rows without one are left out.

    Raises `InputError` for vectors of several lengths and values that are no numbers, `ModelMismatch` for
    those of two models.
    """
    with arrow_errors(Place(source.name)):
        return _Reading(open_table(source)).file()


def read_table_of(name: str, table: Any) -> VectorFile:
    """Read the vectors of a table of pyarrow's that came from the source `name`, as `read_arrow` does."""
    place = Place(name)
    with arrow_errors(place):
        return _Reading(_TableInMemory(place, table)).file()


class ArrowWriter(ColumnsWriter):
    """Writes a row group whenever enough vectors have come."""

    def __init__(
        self,
        stream: BinaryIO,
        model: str | None,
        form: str,
        types: Mapping[str, Any],
        decided: DecidedColumns | None = None,
    ) -> None:
        """Write in `form`, "parquet" or "arrow"; all else as in `ColumnsWriter`."""
        super().__init__(model, form, types, decided)
        self._stream = stream
        self._sink: ArrowSink | None = None

    def _begin(self, columns: VectorColumns) -> None:
        self._sink = ArrowSink(self._form, self._stream, columns.schema, plain=columns.roles.embedding)

    def _put(self, table: Any) -> None:
        if self._sink is not None:
            self._sink.write(table)

    def _finish(self) -> None:
        if self._sink is not None:
            self._sink.close()


class _TableInMemory:
    """A table of pyarrow's, as those of `open_table` are."""

    def __init__(self, place: Place, table: Any) -> None:
        self.place = place
        self.schema = table.schema
        self.count: int | None = table.num_rows
        self._table = table

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[Any]:
        yield from (self._table if columns is None else self._table.select(columns)).to_batches()


class _Reading:
    """Reads the vectors of a table, and what belongs to each."""

    def __init__(self, table: ColumnTable | _TableInMemory) -> None:
        names = list(table.schema.names)
        own = ColumnRoles.of(table.schema)
        self._table = table
        self._vectors = _vectors_of(table)
        self._id = _taken(names, own.id if own else "id")
        self._text = _taken(names, own.text if own else "text")
        self._model = None
        if own is None and "model" in names and is_text(table.schema.field("model").type):
            self._model = _taken(names, "model")
        self._others = [name for name in names if name != self._vectors]
        self._check_types()

    def file(self) -> VectorFile:
        """Read all rows; errors as in `read_arrow`."""
        ids: list[str] = []
        texts: list[str | None] = []
        fields: list[Mapping[str, object]] = []
        models: set[str | None] = set()
        rows = _VectorRows(self._table)
        for batch in self._table.batches():
            ids += self._ids(batch, len(ids))
            texts += python_values(batch[self._text]) if self._text else [None] * batch.num_rows
            fields += self._fields(batch)
            if self._model:
                models |= {name or None for name in python_values(batch[self._model].unique())}
            rows.add(batch[self._vectors])
        if len(ids) != (len(ids) if self._table.count is None else self._table.count):
            raise InputError(
                f"is said to hold {self._table.count} rows, but holds {len(ids)}", place=self._table.place
            )
        vectors, missing = as_float32(self._table.place.source, rows.all())
        if not vectors.shape[1]:
            missing = [*range(len(vectors))]
        file = VectorFile(
            self._table.place.source,
            self._only(models) or model_of(self._table.schema.metadata),
            tuple(ids),
            tuple(texts),
            tuple(fields),
            vectors,
        )
        return without_missing(file, missing) if missing else file

    def _ids(self, batch: Any, before: int) -> list[str]:
        numbers = range(before + 1, before + batch.num_rows + 1)
        if self._id is None:
            return [*map(str, numbers)]
        found = python_values(batch[self._id])
        return [str(number if one is None else one) for number, one in zip(numbers, found, strict=True)]

    def _fields(self, batch: Any) -> list[Mapping[str, object]]:
        if not self._others:
            return [_NO_FIELDS] * batch.num_rows
        columns = [python_values(batch[name]) for name in self._others]
        return [dict(zip(self._others, row, strict=True)) for row in zip(*columns, strict=True)]

    def _only(self, models: set[str | None]) -> str | None:
        if len(models) > 1:
            names = " and ".join(sorted(name or "no known model" for name in models))
            raise ModelMismatch(
                f"holds vectors of {names}",
                hint="vectors of two models cannot be compared; embed all with one",
                place=self._table.place,
            )
        return next(iter(models), None)

    def _check_types(self) -> None:
        types = arrow().types
        place = self._table.place
        form = {field.name: field.type for field in self._table.schema}
        if self._id and not (is_text(form[self._id]) or types.is_integer(form[self._id])):
            raise InputError(f'has an "id" that is {form[self._id]}, not a string', place=place)
        if self._text and not (is_text(form[self._text]) or types.is_null(form[self._text])):
            raise InputError(f'has a "text" that is {form[self._text]}, not a string', place=place)


class _VectorRows:
    """Puts lists of numbers into one array, which is made at once if the number of rows is known."""

    def __init__(self, table: ColumnTable | _TableInMemory) -> None:
        self._place = table.place
        self._count = table.count
        self._width = 0
        self._rows = 0
        self._parts: list[NDArray[np.float32]] = []

    def add(self, column: Any) -> None:
        """Append lists; a null becomes a row of nan."""
        import numpy as np

        if isinstance(column, arrow().ExtensionArray):
            column = column.storage
        self._check_widths(column)
        numbers = column.flatten()
        if numbers.null_count:
            raise InputError("holds a vector with a null among its numbers", place=self._place)
        part = self._next(len(column))
        if not self._width:
            return
        there = column.is_valid().to_numpy(zero_copy_only=False)
        with np.errstate(over="ignore"):
            part[there] = numbers.to_numpy(zero_copy_only=False).reshape(-1, self._width)
        part[~there] = np.nan

    def all(self) -> NDArray[np.float32]:
        """Return all rows, of no column where each is null."""
        import numpy as np

        if not self._width:
            return np.empty((self._rows, 0), np.float32)
        return self._parts[0] if len(self._parts) == 1 else np.concatenate(self._parts)

    def _check_widths(self, column: Any) -> None:
        lengths = arrow().compute.list_value_length(column)
        for width in lengths.unique().drop_null().to_pylist():
            before = self._width or width
            if not width or width != before:
                number = self._rows + lengths.index(width).as_py() + 1
                said = f"has {width} dimensions, others have {before}" if width else "has an empty embedding"
                raise InputError(f"item {number} {said}", place=self._place)
            if not self._width:
                self._width = width
                self._begin()

    def _begin(self) -> None:
        """Make room, and fill it for the rows so far, which are null."""
        import numpy as np

        rows = self._rows if self._count is None else self._count
        self._parts.append(np.empty((rows, self._width), np.float32))
        self._parts[0][: self._rows] = np.nan

    def _next(self, count: int) -> NDArray[np.float32]:
        import numpy as np

        self._rows += count
        if self._width and self._count is None:
            self._parts.append(np.empty((count, self._width), np.float32))
        if self._count is None or not self._width:
            return self._parts[-1] if self._parts else np.empty((count, 0), np.float32)
        return self._parts[0][self._rows - count : self._rows]


def _vectors_of(table: ColumnTable | _TableInMemory) -> str:
    found = vector_column(table.schema)
    if found is None:
        raise InputError(
            "has no column of vectors",
            hint='give lists of numbers in a column "embedding"',
            place=table.place,
        )
    if found != named_vectors(table.schema):
        log.warning(
            "%s: the lists in column %r are read as vectors; --field NAME reads texts instead",
            table.place,
            found,
        )
    return found


def _taken(names: list[str], wanted: str) -> str | None:
    """Take a name off the list and return it; None if it is not there."""
    if wanted not in names:
        return None
    names.remove(wanted)
    return wanted

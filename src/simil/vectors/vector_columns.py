"""Vectors as a table of Arrow: a column of lists of float32 beside id, text and a column for each field."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from simil.formats.arrow_library import arrow
from simil.formats.arrow_rows import FieldColumns
from simil.formats.arrow_schemas import ColumnRoles, name_model
from simil.formats.arrow_values import as_column
from simil.vectors.vector_batch import VectorBatch
from simil.vectors.writer import VectorWriter

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["ColumnsWriter", "DecidedColumns", "VectorColumns"]

# A row group holds so many rows or bytes: what a reader, and the writer, keeps in memory at a time.
_ROWS = 16_384
_BYTES = 32 << 20


@dataclass(frozen=True, slots=True)
class DecidedColumns:
    """The columns of a table that several files hold: the same in each, whatever its own rows are.

    `dimensions` is the length of the vectors, 0 where it is not known.
    """

    fields: FieldColumns
    dimensions: int


class VectorColumns:
    """The columns of a table that is written: names, and types as the first rows decide them.

    Attributes:
        roles: which columns hold what.
        schema: the columns, and as metadata their roles and the model.
    """

    def __init__(
        self,
        first: Sequence[VectorBatch],
        types: Mapping[str, Any],
        form: str,
        model: str | None,
        decided: DecidedColumns | None = None,
    ) -> None:
        """Take the first rows; all else as `ColumnsWriter` takes it."""
        pa = arrow()
        rows = [one for batch in first for one in batch.fields]
        self._fields = decided.fields if decided else FieldColumns(form, rows, types, ())
        self.roles = ColumnRoles.beside([name for name, _ in self._fields.fields])
        width = first[0].vectors.shape[1] if first else decided.dimensions if decided else 0
        self._vectors = pa.list_(pa.float32(), width) if width else pa.list_(pa.float32())
        self.schema = pa.schema(
            [
                (self.roles.id, pa.string()),
                (self.roles.text, pa.string()),
                *self._fields.fields,
                (self.roles.embedding, self._vectors),
            ],
            metadata={**self.roles.metadata(), **name_model(model, width)},
        )

    def table(self, batch: VectorBatch) -> Any:
        """Return the rows of a batch as a table of this schema."""
        arrays = self.arrays(batch)
        return arrow().Table.from_arrays([arrays[name] for name in self.schema.names], schema=self.schema)

    def arrays(self, batch: VectorBatch) -> dict[str, Any]:
        """Return the columns of a batch by name."""
        text = arrow().string()
        names = [name for name, _ in self._fields.fields]
        return {
            self.roles.id: as_column(batch.ids, text, "id"),
            self.roles.text: as_column(batch.texts, text, "text"),
            **dict(zip(names, self._fields.arrays(batch.fields), strict=True)),
            self.roles.embedding: self._lists(batch.vectors),
        }

    def _lists(self, vectors: NDArray[np.float32]) -> Any:
        """Return the vectors as a column, null for a row of nan."""
        import numpy as np

        pa = arrow()
        if not vectors.shape[1]:
            return pa.nulls(len(vectors), self._vectors)
        missing = np.isnan(vectors[:, 0])
        mask = pa.array(missing) if missing.any() else None
        return pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), type=self._vectors, mask=mask)


class ColumnsWriter(VectorWriter):
    """Writes a table whenever enough vectors have come; the first one decides the types of fields.

    A field that comes later, or has a value of another type, raises `InputError`.
    """

    def __init__(
        self, model: str | None, form: str, types: Mapping[str, Any], decided: DecidedColumns | None = None
    ) -> None:
        """Write in `form`; `types` are those that fields have in their source.

        With `decided`, the rows decide nothing.
        """
        super().__init__(model)
        arrow()  # Without the extra, this fails before anything is embedded.
        self._form = form
        self._types = types
        self._decided = decided
        self._waiting: list[VectorBatch] = []
        self._rows = self._bytes = 0
        self._columns: VectorColumns | None = None

    def _append(self, batch: VectorBatch) -> None:
        self._waiting.append(batch)
        self._rows += len(batch)
        self._bytes += batch.vectors.nbytes + sum(len(text) for text in batch.texts if text)
        if self._rows >= _ROWS or self._bytes >= _BYTES:
            self._flush()

    def _flush(self) -> None:
        batches, self._waiting = self._waiting, []
        self._rows = self._bytes = 0
        if self._columns is None:
            self._columns = self._columns_of(batches)
            self._begin(self._columns)
        if batches:
            self._put(arrow().concat_tables(map(self._columns.table, batches)))

    def _columns_of(self, first: Sequence[VectorBatch]) -> VectorColumns:
        return VectorColumns(first, self._types, self._form, self._model, self._decided)

    def _end(self) -> None:
        if self._waiting or self._columns is None:
            self._flush()
        self._finish()

    @abstractmethod
    def _begin(self, columns: VectorColumns) -> None:
        """Begin to write a table with these columns."""

    @abstractmethod
    def _put(self, table: Any) -> None:
        """Write some of its rows."""

    @abstractmethod
    def _finish(self) -> None:
        """End the table."""

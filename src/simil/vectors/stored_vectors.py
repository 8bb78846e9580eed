"""Vectors that stay in their Lance dataset: counted, streamed in blocks, and taken row by row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from simil.errors import InputError, Place, UsageError
from simil.formats.arrow_library import arrow
from simil.formats.arrow_schemas import hash_column, model_of, vector_column
from simil.formats.lance_files import open_dataset
from simil.formats.lance_library import lance_errors
from simil.formats.library_errors import reason
from simil.usable_memory import readable_size, usable_memory
from simil.vectors.arrow_form import read_table_of
from simil.vectors.collect import VectorFile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["StoredVectors"]

# What the id, the text and the fields of a row take as Python objects, beside their characters.
_ROW = 400
_READ_AHEAD = 64 << 20  # bytes


class StoredVectors:
    """One version of a dataset, opened; nothing is loaded.

    Attributes:
        name: the path or address.
        dataset: the `lance.LanceDataset`.
        dimensions: the length of its vectors.
        model: what made them; None if the dataset does not say.
        column: the name of the column that holds them.
    """

    def __init__(self, name: str, dataset: Any) -> None:
        """Take an open dataset; raises InputError for one without a column of vectors of one length."""
        self.name = name
        self.dataset = dataset
        self.place = Place(name)
        schema = dataset.schema
        column = vector_column(schema)
        if column is None:
            raise InputError(
                "has no column of vectors",
                hint='give lists of numbers in a column "embedding"',
                place=self.place,
            )
        self.column = column
        form = schema.field(column).type
        self.dimensions: int = form.list_size if arrow().types.is_fixed_size_list(form) else 0
        self.model: str | None = model_of(schema.metadata)

    @classmethod
    def open(cls, path: str) -> StoredVectors:
        """Open the newest version of the dataset at a path or address; raises InputError if there is none."""
        return cls(path, open_dataset(path))

    @cached_property
    def count(self) -> int:
        """The number of rows that have a vector."""
        with lance_errors(self.place):
            return int(self.dataset.count_rows(self._with_vector(None)))

    @cached_property
    def rows(self) -> int:
        """The number of rows, those without a vector too."""
        with lance_errors(self.place):
            return int(self.dataset.count_rows())

    @cached_property
    def nbytes(self) -> int:
        """The bytes of the vectors and of all that belongs to them."""
        with lance_errors(self.place):
            fields = self.dataset.stats.data_stats().fields
            ids = {field.name(): field.id() for field in self.dataset.lance_schema.fields()}
        others = sum(field.bytes_on_disk for field in fields if field.id != ids[self.column])
        return int(self.rows * 4 * self.dimensions + others)

    @property
    def memory_needed(self) -> int:
        """The bytes that all of it takes in memory, with Python's objects."""
        return self.nbytes + _ROW * self.count

    def fits_in_memory(self, beside: int = 0) -> bool:
        """Return whether all of it can be read at once, and work on it takes `beside` bytes for each row."""
        usable = usable_memory()
        return usable is None or self.memory_needed + beside * self.count <= usable

    def check_memory(self) -> None:
        """Raise InputError, with the numbers, if it does not fit in memory."""
        if not self.fits_in_memory():
            needed, usable = readable_size(self.memory_needed), readable_size(usable_memory() or 0)
            raise InputError(
                f"holds {self.count:,} vectors, which take {needed} of memory, and {usable} can be used",
                place=self.place,
            )

    def blocks(
        self, *, where: str | None = None, rows: int = 8192
    ) -> Iterator[tuple[NDArray[np.uint64], NDArray[np.float32]]]:
        """Yield the ids [n] and vectors [n, d] of up to so many rows at a time, in the order of the dataset.

        Rows without a vector are left out, and those for which `where` is not true.
        """
        with lance_errors(self.place):
            scanner = self.dataset.scanner(
                columns=[self.column],
                filter=where,
                with_row_id=True,
                batch_size=rows,
                scan_in_order=True,
                # By default, Lance reads up to 2 GB ahead.
                io_buffer_size=_READ_AHEAD,
                fragment_readahead=2,
            )
            for batch in scanner.to_batches():
                ids, lists = batch.column("_rowid"), batch.column(self.column)
                if lists.null_count:  # A filter in the scanner would copy every batch.
                    ids = ids.filter(lists.is_valid())
                if len(ids):
                    yield ids.to_numpy(), self._rows(lists)

    def take(self, row_ids: Sequence[int] | NDArray[np.uint64]) -> VectorFile:
        """Return what these rows hold, in this order; each must have a vector."""
        import numpy as np

        pa = arrow()
        hashes = hash_column(self.dataset.schema)
        names = [name for name in self.dataset.schema.names if name != hashes]
        ids = pa.array(np.asarray(row_ids, np.uint64))
        with lance_errors(self.place):
            table = self.dataset._take_rows(ids, names)
        return read_table_of(self.name, table.replace_schema_metadata(self.dataset.schema.metadata))

    def check_where(self, where: str) -> None:
        """Raise UsageError, with one line, for a condition that Lance does not take."""
        try:
            self.dataset.scanner(columns=[], with_row_id=True, filter=where, limit=0).to_table()
        except (OSError, ValueError, RuntimeError) as exc:
            raise UsageError(f"--where {where!r} is not a condition on {self.name}: {reason(exc)}") from exc

    def _rows(self, lists: Any) -> NDArray[np.float32]:
        import numpy as np

        numbers = lists.flatten().to_numpy(zero_copy_only=False)  # Without those of nulls.
        return numbers.astype(np.float32, copy=False).reshape(-1, self.dimensions)

    def _with_vector(self, where: str | None) -> str:
        has = f"`{self.column}` IS NOT NULL"
        return f"({where}) AND {has}" if where else has

"""Vectors that stay in their Lance dataset: counted, streamed in blocks, and taken row by row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from simil import similarity
from simil.errors import InputError, ModelMismatch, Place
from simil.formats.arrow_library import arrow
from simil.formats.arrow_schemas import ColumnRoles, hash_column, model_of, vector_column
from simil.formats.lance_files import open_dataset
from simil.formats.lance_library import lance_errors
from simil.usable_memory import readable_size, usable_memory
from simil.vectors.array_rows import as_float32
from simil.vectors.arrow_form import read_table_of
from simil.vectors.collect import VectorFile
from simil.vectors.embedding_facts import EmbeddingFacts
from simil.vectors.where_conditions import check_condition, enclosed, where_errors

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["StoredVectors"]

# Lance's name for the number of a row.
_NUMBER = "_rowoffset"
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
        facts: how the texts were embedded; None if the dataset does not say.
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
        self.dimensions = self._dimensions()
        self.model: str | None = model_of(schema.metadata)
        self.facts = EmbeddingFacts.of(schema.metadata)

    @classmethod
    def open(cls, path: str) -> StoredVectors:
        """Open the newest version of the dataset at a path or address; raises InputError if there is none."""
        return cls(path, open_dataset(path))

    @cached_property
    def count(self) -> int:
        """The number of rows that have a vector, which only reading all of them tells."""
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
        return self.nbytes + _ROW * self.rows

    def fits_in_memory(self, beside: int = 0) -> bool:
        """Return whether all of it can be read at once, and work on it takes `beside` bytes for each row."""
        usable = usable_memory()
        return usable is None or self.memory_needed + beside * self.rows <= usable

    def check_memory(self) -> None:
        """Raise InputError, with the numbers, if it does not fit in memory."""
        if not self.fits_in_memory():
            needed, usable = readable_size(self.memory_needed), readable_size(usable_memory() or 0)
            raise InputError(
                f"holds {self.count:,} vectors, which take {needed} of memory, and {usable} can be used",
                place=self.place,
            )

    def check_alike(self, model: str | None, facts: EmbeddingFacts | None) -> None:
        """Raise ModelMismatch unless vectors of `model`, made as `facts` say, go with its own."""
        if model != self.model:
            names = [name or "no known model" for name in (self.model, model)]
            raise ModelMismatch(
                f"holds vectors of {names[0]}, and these are of {names[1]}",
                hint="write them to another dataset",
                place=self.place,
            )
        if None not in (facts, self.facts) and facts != self.facts:
            raise ModelMismatch(
                f"holds vectors of {self.facts}, and these are of {facts}",
                hint="pass the --kind, --no-normalize and --ignore of the dataset, or name another",
                place=self.place,
            )

    def check_dimensions(self, width: int) -> None:
        """Raise ModelMismatch unless vectors of `width` dimensions go with its own."""
        if width != self.dimensions:
            shorter = f"pass --dimensions {self.dimensions}"
            raise ModelMismatch(
                f"holds vectors of {self.dimensions} dimensions, and these have {width}",
                hint=shorter if width > self.dimensions else "write them to another dataset",
                place=self.place,
            )

    def blocks(
        self,
        *,
        where: str | None = None,
        rows: int = 8192,
        fragments: Sequence[Any] | None = None,
    ) -> Iterator[tuple[NDArray[np.uint64], NDArray[np.float32]]]:
        """Yield the ids [n] and vectors [n, d] of up to so many rows at a time, in the order of the dataset.

        Rows without a vector are left out, and those for which `where` is not true; with `fragments`, so are
        those of others.
        """
        import numpy as np

        with where_errors(self.place, where):
            scanner = self.dataset.scanner(
                columns=[self.column],
                filter=where,
                with_row_id=True,
                batch_size=rows,
                scan_in_order=True,
                # By default, Lance reads up to 2 GB ahead.
                io_buffer_size=_READ_AHEAD,
                fragment_readahead=2,
                fragments=fragments,
            )
            for batch in scanner.to_batches():
                ids, lists = batch.column("_rowid"), batch.column(self.column)
                if lists.null_count:  # A filter in the scanner would copy every batch.
                    ids, lists = ids.filter(lists.is_valid()), lists.drop_null()
                row_ids = ids.to_numpy()
                vectors, missing = self._float32(row_ids, lists)
                if missing:
                    row_ids, vectors = np.delete(row_ids, missing), np.delete(vectors, missing, axis=0)
                if len(row_ids):
                    yield row_ids, vectors

    def take(self, row_ids: Sequence[int] | NDArray[np.uint64]) -> VectorFile:
        """Return what these rows hold, in this order; each must have a vector."""
        import numpy as np

        schema = self.dataset.schema
        hashes = hash_column(schema)
        names = [name for name in schema.names if name != hashes]
        has_ids = "id" in names or ColumnRoles.of(schema) is not None
        ids = arrow().array(np.asarray(row_ids, np.uint64))
        with lance_errors(self.place):
            table = self.dataset._take_rows(ids, names if has_ids else [*names, _NUMBER])
        if not has_ids:
            table = _with_numbers(table)
        return read_table_of(self.name, table.replace_schema_metadata(schema.metadata))

    def numbers(self, row_ids: Sequence[int] | NDArray[np.uint64]) -> NDArray[np.int64]:
        """Return the numbers of these rows among all rows, from 0, as Lance's `take` takes them."""
        import numpy as np

        if not len(row_ids):
            return np.empty(0, np.int64)
        ids = arrow().array(np.asarray(row_ids, np.uint64))
        with lance_errors(self.place):
            numbers = self.dataset._take_rows(ids, [_NUMBER])[_NUMBER]
        return np.asarray(numbers.to_numpy(), np.int64)

    def take_vectors(self, row_ids: NDArray[np.uint64]) -> NDArray[np.float32]:
        """Return the vectors of these rows [n, d], in this order; each must have one."""
        with lance_errors(self.place):
            table = self.dataset._take_rows(arrow().array(row_ids), [self.column])
        return self._float32(row_ids, table.column(0).combine_chunks())[0]

    def of_length_one(self, row_ids: NDArray[np.uint64], vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the vectors of these rows [n, d] as `similarity.of_length_one` does.

        Raises InputError, with the id of its row, for one without direction.
        """
        try:
            return similarity.of_length_one(vectors)
        except InputError as exc:
            named = self._named(row_ids[vectors.any(axis=1).argmin()])
            raise InputError(f"the vector of {named} is zero and has no direction", place=self.place) from exc

    def check_where(self, where: str) -> None:
        """Raise UsageError, with one line, for a condition that Lance does not take."""
        check_condition(self.dataset, self.name, where, hash_column(self.dataset.schema))

    def _dimensions(self) -> int:
        form = self.dataset.schema.field(self.column).type
        if arrow().types.is_fixed_size_list(form):
            return int(form.list_size)
        # Lists of any length, which others write: the first one tells.
        for batch in self.dataset.scanner(
            columns=[self.column], filter=self._with_vector(None), limit=1
        ).to_batches():
            return len(batch.column(0)[0])
        return 0

    def _float32(self, row_ids: NDArray[np.uint64], column: Any) -> tuple[NDArray[np.float32], list[int]]:
        """Return lists of numbers as `as_float32` does, whose error then has the id of the row."""
        import numpy as np

        rows = self._rows_of(column)
        try:
            return as_float32(self.name, rows)
        except InputError as exc:
            with np.errstate(over="ignore"):
                found = rows.astype(np.float32)
            bad = ~np.isfinite(found).all(axis=1) & ~np.isnan(found).all(axis=1)
            said = (
                f"the vector of {self._named(row_ids[bad.argmax()])} has a value that is not a finite float32"
            )
            raise InputError(said, place=self.place) from exc

    def _named(self, row_id: np.uint64) -> str:
        """Return what a row is called in an error: its id, or its number where it has none."""
        schema = self.dataset.schema
        roles = ColumnRoles.of(schema)
        name = "id" if roles is None else roles.id
        if name in schema.names:
            return repr(self.dataset._take_rows(arrow().array([row_id]), [name])[name][0].as_py())
        return f"row {self.numbers([int(row_id)])[0] + 1:,}"

    def _rows_of(self, column: Any) -> NDArray[Any]:
        """Return lists of numbers, none of which is null, as an array [n, dimensions]."""
        numbers = column.flatten()
        lengths = arrow().compute.list_value_length(column).unique().to_pylist()
        if numbers.null_count or lengths not in ([], [self.dimensions]):
            said = (
                "a null among its numbers"
                if numbers.null_count
                else f"other than {self.dimensions} dimensions"
            )
            raise InputError(f"holds a vector with {said}", place=self.place)
        array: NDArray[Any] = numbers.to_numpy(zero_copy_only=False).reshape(-1, self.dimensions)
        return array

    def _with_vector(self, where: str | None) -> str:
        has = f"`{self.column}` IS NOT NULL"
        return has if where is None else f"{enclosed(where)} AND {has}"


def _with_numbers(table: Any) -> Any:
    """Return a table whose ids are the numbers of the rows in the dataset, from 1, as those of a file are."""
    numbers = [str(number + 1) for number in table[_NUMBER].to_pylist()]
    return table.drop_columns([_NUMBER]).append_column("id", arrow().array(numbers, arrow().string()))

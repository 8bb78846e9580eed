"""The nearest rows of a dataset: candidates by its index, or all rows, scored exactly either way."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simil import similarity
from simil.blas import one_thread, use_all_cores
from simil.errors import ModelMismatch
from simil.formats.arrow_schemas import vector_column

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    import numpy as np
    from numpy.typing import NDArray

    from simil.vectors.stored_vectors import StoredVectors

__all__ = ["Nearest", "nearest"]

_FEW_QUERIES = 16


@dataclass(frozen=True, slots=True, eq=False)
class Nearest:
    """The best rows for each query, best first: cosines float32 [q, k] and row ids uint64 [q, k].

    There are fewer than were asked for where the dataset has fewer rows that count.
    """

    scores: NDArray[np.float32]
    row_ids: NDArray[np.uint64]


def nearest(
    stored: StoredVectors,
    queries: NDArray[np.float32],
    k: int,
    *,
    where: str | None = None,
    exact: bool = False,
) -> Nearest:
    """Return the `k` rows of a dataset with the largest cosine to each of `queries` [q, d] of length 1.

    By the dataset's index, where it has one that pays; else, and with `exact`, by reading all vectors once,
    in bounded memory. Either way a score is that of `similarity.top_k`, and ties go to the lower row. With
    `where`, a condition in SQL, only rows that meet it are found. Queries of fewer dimensions are compared
    with that many of each vector.

    Raises `ModelMismatch` for queries of more dimensions, `UsageError` for a condition that Lance does not
    take, and `InputError` for a vector without direction.
    """
    if queries.shape[1] > stored.dimensions:
        raise ModelMismatch(
            f"queries of {queries.shape[1]} dimensions cannot be compared with vectors of "
            f"{stored.dimensions}",
            hint="pass --dimensions",
        )
    if where is not None:
        stored.check_where(where)
    return _by_reading_all(stored, queries, k, where)


def _by_reading_all(
    stored: StoredVectors, queries: NDArray[np.float32], k: int, where: str | None
) -> Nearest:
    rows = _StoredRows(stored, queries.shape[1])
    with _threads_for(queries, stored.dataset.count_rows()):
        scores, numbers = similarity.top_k_of_blocks(queries, rows.read(where), rows, k)
    return Nearest(scores, rows.ids_of(numbers))


def _threads_for(queries: NDArray[np.float32], rows: int) -> AbstractContextManager[object]:
    """Set how many threads multiply: for few queries, reading takes longer, and Lance has threads for that."""
    if len(queries) < _FEW_QUERIES:
        return one_thread()
    use_all_cores(queries.size * rows)
    return nullcontext()


class _StoredRows:
    """The vectors of a dataset that count, each of length 1, by their numbers in the order of reading."""

    def __init__(self, stored: StoredVectors, dimensions: int) -> None:
        self._stored = stored
        self._column = vector_column(stored.dataset.schema)
        self._dimensions = dimensions
        self._starts: list[int] = []
        # Consecutive ids, which blocks have unless rows were left out, are kept as a range.
        self._ids: list[range | NDArray[np.uint64]] = []

    def read(self, where: str | None) -> Iterator[NDArray[np.float32]]:
        """Yield the vectors in blocks."""
        read = 0
        for ids, block in self._stored.blocks(where=where):
            self._starts.append(read)
            self._ids.append(_compact(ids))
            yield similarity.of_length_one(block[:, : self._dimensions], read)
            read += len(ids)

    def ids_of(self, numbers: NDArray[np.int64]) -> NDArray[np.uint64]:
        """Return the row ids of rows that were read."""
        import numpy as np

        which = np.searchsorted(self._starts, numbers.ravel(), side="right") - 1
        ids = [
            self._ids[block][number - self._starts[block]]
            for block, number in zip(which.tolist(), numbers.ravel().tolist(), strict=True)
        ]
        return np.array(ids, np.uint64).reshape(numbers.shape)

    def __getitem__(self, numbers: NDArray[np.int64], /) -> NDArray[np.float32]:
        """Return vectors that were read, once more."""
        import numpy as np

        ids, places = np.unique(self.ids_of(numbers), return_inverse=True)
        found = self._stored.dataset._take_rows(ids.tolist(), columns=[self._column])
        vectors = found[self._column].combine_chunks().flatten().to_numpy().reshape(len(ids), -1)
        return similarity.of_length_one(vectors[:, : self._dimensions])[places]


def _compact(ids: NDArray[np.uint64]) -> range | NDArray[np.uint64]:
    first, last = int(ids[0]), int(ids[-1])
    ascending = last - first == len(ids) - 1 and bool((ids[1:] > ids[:-1]).all())
    return range(first, last + 1) if ascending else ids

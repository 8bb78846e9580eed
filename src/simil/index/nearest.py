"""The nearest rows of a dataset: candidates by its index, or all rows, scored exactly either way."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from simil import similarity
from simil.blas import one_thread, use_all_cores
from simil.errors import ModelMismatch
from simil.index.candidate_index import NO_ROW, CandidateIndex

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

    import numpy as np
    from numpy.typing import NDArray

    from simil.vectors.stored_vectors import StoredVectors

__all__ = ["INDEX_FROM", "Nearest", "has_useful_index", "nearest"]

INDEX_FROM = 1_000_000 * 384
"""How many numbers must be read without an index for it to be quicker."""

_QUERIES = 64  # whose candidates are read at once
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
    index_from: int = INDEX_FROM,
) -> Nearest:
    """Return the `k` rows of a dataset with the largest cosine to each of `queries` [q, d] of length 1.

    By the dataset's index, where it has one and at least `index_from` numbers would be read without it; else,
    and with `exact`, by reading all vectors once, in bounded memory. Either way a score is that of
    `similarity.top_k`, and ties go to the lower row. With `where`, a condition in SQL, only rows that meet it
    are found. Queries of fewer dimensions are compared with that many of each vector.

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
    if not exact and k > 0 and queries.shape[1] == stored.dimensions:
        found = _by_index(stored, queries, k, where, index_from)
        if found is not None:
            return found
    return _by_reading(stored, queries, k, where)


def has_useful_index(stored: StoredVectors, *, index_from: int = INDEX_FROM) -> bool:
    """Return whether `nearest` goes by an index of a dataset, where all of its rows count."""
    return stored.rows * stored.dimensions >= index_from and CandidateIndex.of(stored) is not None


def _by_index(
    stored: StoredVectors, queries: NDArray[np.float32], k: int, where: str | None, index_from: int
) -> Nearest | None:
    """Return the best of an index's candidates and of rows that are not in it; None if that does not pay."""
    import numpy as np

    index = CandidateIndex.of(stored)
    if index is None:
        return None
    rows = index.rows_that_count(where)
    if rows * stored.dimensions < index_from:
        return None
    settings = index.settings(k, index.share_of(rows))
    parts = []
    for start in range(0, len(queries), _QUERIES):
        group = queries[start : start + _QUERIES]
        candidates = index.candidates(group, settings, where)
        parts.append((_scores(stored, group, candidates), candidates))
    scores, ids = (np.concatenate(part) for part in zip(*parts, strict=True))
    if index.fragments_left:
        others = _by_reading(stored, queries, k, where, index.fragments_left)
        scores, ids = np.hstack([scores, others.scores]), np.hstack([ids, others.row_ids])
    if ((ids != NO_ROW).sum(axis=1) < min(k, rows)).any():
        return None
    return _best(stored, scores, ids, k)


def _scores(
    stored: StoredVectors, queries: NDArray[np.float32], row_ids: NDArray[np.uint64]
) -> NDArray[np.float32]:
    """Return the cosines of queries with rows [q, m] of their own; -inf where there is none."""
    import numpy as np

    asked, places = np.nonzero(row_ids != NO_ROW)
    ids, rows = np.unique(row_ids[asked, places], return_inverse=True)
    vectors = stored.of_length_one(ids, stored.take_vectors(ids))
    scores = np.full(row_ids.shape, -np.inf, np.float32)
    scores[asked, places] = similarity.products_by_pair(queries, vectors, asked, rows)
    return scores


def _best(stored: StoredVectors, scores: NDArray[np.float32], ids: NDArray[np.uint64], k: int) -> Nearest:
    """Return the first `k` of rows [q, m] by score, then by their order in the dataset."""
    import numpy as np

    order = np.lexsort((_places(stored, ids), -scores))[:, :k]
    best = np.take_along_axis(ids, order, axis=1)
    there = int((best != NO_ROW).sum(axis=1).min(initial=k))
    # -0 becomes 0: they are equal.
    return Nearest(np.take_along_axis(scores, order, axis=1)[:, :there] + np.float32(0), best[:, :there])


def _places(stored: StoredVectors, ids: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return numbers that ascend as rows do in the dataset."""
    import numpy as np

    fragments = [fragment.fragment_id for fragment in stored.dataset.get_fragments()]
    if fragments == sorted(fragments) and not stored.dataset.has_stable_row_ids:
        return ids
    there = ids != NO_ROW
    found, rows = np.unique(ids[there], return_inverse=True)
    places = ids.copy()
    places[there] = stored.numbers(found)[rows]
    return places


def _by_reading(
    stored: StoredVectors,
    queries: NDArray[np.float32],
    k: int,
    where: str | None,
    fragments: Sequence[Any] | None = None,
) -> Nearest:
    """Return the best rows of all, or of some fragments."""
    rows = _StoredRows(stored, queries.shape[1], fragments)
    with _threads_for(queries, stored.dataset.count_rows()):
        scores, numbers = similarity.top_k_of_blocks(queries, rows.read(where), rows, k)
    return Nearest(scores, rows.ids_of(numbers))


def _threads_for(queries: NDArray[np.float32], rows: int) -> AbstractContextManager[object]:
    """Set how many threads multiply: for few queries, reading takes longer, which Lance has threads for."""
    if len(queries) < _FEW_QUERIES:
        return one_thread()
    use_all_cores(queries.size * rows)
    return nullcontext()


class _StoredRows:
    """The vectors of a dataset that count, each of length 1, by their numbers in the order of reading."""

    def __init__(self, stored: StoredVectors, dimensions: int, fragments: Sequence[Any] | None) -> None:
        self._stored = stored
        self._fragments = fragments
        self._dimensions = dimensions
        self._starts: list[int] = []
        # Consecutive ids, which blocks have unless rows were left out, are kept as a range.
        self._ids: list[range | NDArray[np.uint64]] = []

    def read(self, where: str | None) -> Iterator[NDArray[np.float32]]:
        """Yield the vectors in blocks."""
        read = 0
        for ids, block in self._stored.blocks(where=where, fragments=self._fragments):
            self._starts.append(read)
            self._ids.append(_compact(ids))
            yield self._stored.of_length_one(ids, block[:, : self._dimensions])
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
        vectors = self._stored.take_vectors(ids)
        return self._stored.of_length_one(ids, vectors[:, : self._dimensions])[places]


def _compact(ids: NDArray[np.uint64]) -> range | NDArray[np.uint64]:
    first, last = int(ids[0]), int(ids[-1])
    ascending = last - first == len(ids) - 1 and bool((ids[1:] > ids[:-1]).all())
    return range(first, last + 1) if ascending else ids

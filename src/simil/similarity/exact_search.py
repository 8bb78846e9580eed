"""Nearest neighbours: the best rows for each query, exactly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simil.blas import use_all_cores
from simil.errors import InputError
from simil.similarity.normalization import as_rows, check_dimensions
from simil.similarity.products import (
    check_block_rows,
    checked_lengths,
    float32_rows,
    products,
    products_by_pair,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from simil.similarity.products import Rows

    Floats = NDArray[np.floating[Any]]

__all__ = ["top_k", "top_k_of_blocks"]

_QUERY_ROWS = 256  # queries scored together with a block of the corpus
_FIRST_ROWS = 256  # rows of the first block of the corpus, in which every row is a candidate
_SPARE = 16  # rows kept beyond k, in case rounding ranked them below the k-th
_MOST_ROWS = 1 << 32  # of a corpus: a row number is half of a 64-bit key
_NO_ROW = (1 << 64) - 1  # a key that sorts after that of any row


def top_k(
    queries: Floats, corpus: Floats, k: int, *, block_rows: int = 8192
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the `k` rows of `corpus` [n, d] with the largest dot product with each of `queries` [q, d].

    Returns scores float32 [q, min(k, n)] and row indices int64 of the same shape, best first, ties by
    lower index. For unit vectors, the dot product is the cosine similarity. Both arrays are used as
    float32. `corpus` can be a `numpy.memmap` larger than memory, of at most 2**32 rows. It is read once, in
    blocks of at most `block_rows`; float32 is not copied.

    A score is the dot product in float64, rounded, as in `pairwise`, so equal rows score the same on every
    machine. Candidates are chosen in float32: if more than 16 other rows are as near as the k-th except for
    rounding, any of them can take its place.

    Raises `InputError` naming the first row (from 1) that is zero or not finite: "query 3" for `queries`,
    "vector 3" for `corpus`. Reads nothing if there are no queries or `k` is below 1.
    """
    queries, corpus = as_rows(queries), as_rows(corpus)
    check_dimensions(queries, corpus)
    check_block_rows(block_rows)
    if len(corpus) > _MOST_ROWS:
        raise _too_many(len(corpus))
    use_all_cores(len(queries) * corpus.size)
    blocks = (corpus[start : start + block_rows] for start in range(0, len(corpus), block_rows))
    return top_k_of_blocks(queries, blocks, corpus, min(k, len(corpus)))


def top_k_of_blocks(
    queries: Floats, blocks: Iterable[Floats], corpus: Rows, k: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return what `top_k` does for a corpus that comes in `blocks` [b, d], one after another.

    `corpus` gives rows by their numbers once more, counted over all blocks. No block is kept. Raises as
    `top_k` does.
    """
    import numpy as np

    k = max(0, k)
    if k == 0 or len(queries) == 0:
        return np.empty((len(queries), k), dtype=np.float32), np.empty((len(queries), k), dtype=np.int64)
    groups = [
        _Nearest(float32_rows(queries[start : start + _QUERY_ROWS]), k + _SPARE, start)
        for start in range(0, len(queries), _QUERY_ROWS)
    ]
    seen = 0
    for block in blocks:
        for part in _doubling(block, seen):
            for group in groups:
                group.add(part, seen)
            seen += len(part)
            if seen > _MOST_ROWS:
                raise _too_many(seen)
    keys = np.concatenate([group.ranked(corpus)[:, :k] for group in groups])
    return _scores_of(keys), _rows_of(keys)


def _too_many(rows: int) -> InputError:
    return InputError(f"{rows} vectors are too many to search; at most {_MOST_ROWS} are possible")


def _doubling(block: Floats, seen: int) -> Iterator[NDArray[np.float32]]:
    """Yield a block in parts that at most double the rows seen, so few of their rows beat the best so far."""
    start = 0
    while start < len(block):
        part = float32_rows(block[start : start + max(_FIRST_ROWS, seen + start)])
        yield part
        start += len(part)


class _Nearest:
    """The best rows so far for a group of queries.

    A row that beats the worst kept row of a query is pending. As soon as a query has as many pending rows as
    it keeps, all pending rows are merged. So sorting costs the same for few blocks and for many.
    """

    def __init__(self, queries: NDArray[np.float32], keep: int, first: int) -> None:
        """Keep `keep` rows for each of `queries` [q, d]; errors number the queries from `first` + 1."""
        import numpy as np

        checked_lengths(queries, range(first, first + len(queries)), "query")
        self._queries = queries
        self._keep = keep
        self._keys = np.full((len(queries), keep), _NO_ROW, dtype=np.uint64)
        self._limits = np.empty(len(queries), dtype=np.float32)
        self._seen = 0
        self._pending: list[tuple[NDArray[np.int64], NDArray[np.uint64]]] = []
        self._pending_counts = np.zeros(len(queries), dtype=np.int64)

    def add(self, block: NDArray[np.float32], start: int) -> None:
        """Add the next rows of the corpus [b, d]; `start` is the number of the first."""
        import numpy as np

        scores = self._scores(block, start)
        # Of equal scores, the earlier row wins, so a new row must score more than a kept one.
        near = scores > self._limits if self._seen >= self._keep else np.ones(scores.shape, dtype=bool)
        self._seen += len(block)
        # `nonzero` is many times slower in two dimensions.
        places = np.flatnonzero(near)
        if len(places) == 0:
            return
        rows, asked = np.divmod(places, len(self._queries))
        self._pending.append((asked, _keys(scores.ravel()[places], rows + start)))
        self._pending_counts += np.bincount(asked, minlength=len(self._queries))
        if self._pending_counts.max() >= self._keep:
            self._merge()

    def ranked(self, corpus: Rows) -> NDArray[np.uint64]:
        """Return the keys of the kept rows [q, min(keep, n)], best first, with exact scores."""
        import numpy as np

        self._merge()
        rows = _rows_of(self._keys[:, : self._seen])
        asked = np.repeat(np.arange(len(rows)), rows.shape[1])
        exact = products_by_pair(self._queries, corpus, asked, rows.ravel())
        keys = _keys(exact, rows.ravel()).reshape(rows.shape)
        keys.sort(axis=1)
        return keys

    def _scores(self, block: NDArray[np.float32], start: int) -> NDArray[np.float32]:
        """Return the dot products [b, q]; raises `InputError` for a row that is zero or not finite."""
        import numpy as np

        with np.errstate(over="ignore", invalid="ignore"):
            scores = block @ self._queries.T
        # A zero row gives 0 with any query, one that is not finite inf or NaN: only such rows need a check.
        finite = np.isfinite(scores)
        doubtful = np.flatnonzero((scores[:, 0] == 0) | ~finite[:, 0])
        if len(doubtful):
            checked_lengths(block[doubtful], doubtful + start)
        if not finite.all():
            i, j = np.nonzero(~finite)
            scores[i, j] = products(block, self._queries, i, j)
        return scores

    def _merge(self) -> None:
        """Merge the pending rows into the kept ones."""
        import numpy as np

        if not self._pending:
            return
        asked, keys = (np.concatenate(parts) for parts in zip(*self._pending, strict=True))
        # NumPy's stable sort of 16-bit numbers is a radix sort; there are fewer queries than 2**16.
        order = np.argsort(asked.astype(np.uint16), kind="stable")
        # One row per query: its kept rows, then its pending ones, then padding.
        table = np.full((len(self._keys), self._keep + self._pending_counts.max()), _NO_ROW, dtype=np.uint64)
        table[:, : self._keep] = self._keys
        before = np.cumsum(self._pending_counts) - self._pending_counts
        columns = self._keep + np.arange(len(order)) - np.repeat(before, self._pending_counts)
        table[asked[order], columns] = keys[order]
        table.partition(self._keep - 1, axis=1)
        self._keys = np.sort(table[:, : self._keep], axis=1)
        self._limits = _scores_of(self._keys[:, -1])
        self._pending.clear()
        self._pending_counts[:] = 0


# A key holds the score and the number of a row: the smaller key is the better row, and keys are unique.
# Sorting keys sorts by descending score, then by number, in one fast pass.


def _keys(scores: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray[np.uint64]:
    import numpy as np

    bits = (scores + np.float32(0)).view(np.uint32)  # -0 becomes 0: they are equal
    return _flipped(bits).astype(np.uint64) << np.uint64(32) | rows.astype(np.uint64)


def _scores_of(keys: NDArray[np.uint64]) -> NDArray[np.float32]:
    import numpy as np

    return _flipped((keys >> 32).astype(np.uint32)).view(np.float32)


def _rows_of(keys: NDArray[np.uint64]) -> NDArray[np.int64]:
    import numpy as np

    return (keys & 0xFFFFFFFF).astype(np.int64)


def _flipped(bits: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Map the bits of float32 to integers that descend as the floats ascend, and back.

    The bits of non-negative floats ascend with the float; those of negative ones already descend.
    """
    import numpy as np

    return np.where(bits >> 31, bits, bits ^ 0x7FFFFFFF)

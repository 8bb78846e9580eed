"""Corpora that tasks go through block by block: larger than memory, in their dataset, or loaded."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from simil.errors import Place
from simil.index.candidate_index import CandidateIndex
from simil.index.nearest import nearest
from simil.progress import Progress, silent
from simil.tasks.corpus import Corpus, TextsOnDemand
from simil.texts import Text
from simil.usable_memory import usable_memory

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from simil.vectors import VectorBatch
    from simil.vectors.stored_vectors import StoredVectors

__all__ = ["CorpusInBlocks", "LoadedCorpus", "StoredCorpus", "rows_at_once"]

_TEXTS = 1024  # taken at once
_SCANNED = 8192  # rows of a block of the dataset
# For fewer numbers, comparing every row with all others takes no longer than asking an index for each.
_INDEX_FROM = 1 << 27
_PART = 8  # of the memory that data may take, for one of the things that work holds
_FEWEST_ROWS, _MOST_ROWS = 1024, 1 << 18


def rows_at_once(bytes_per_row: int) -> int:
    """Return how many rows of that size work may hold beside other things."""
    usable = usable_memory()
    rows = _MOST_ROWS if usable is None else usable // _PART // max(1, bytes_per_row)
    return max(_FEWEST_ROWS, min(rows, _MOST_ROWS))


class CorpusInBlocks(ABC):
    """Texts and vectors, numbered from 0, of which one block is in memory at a time.

    Attributes:
        progress: what shows how far a pass is.
        dimensions: the length of a vector.
    """

    progress: Progress
    dimensions: int

    @property
    @abstractmethod
    def corpus(self) -> Corpus:
        """The texts, as results show them. The vectors may be left out."""

    @property
    @abstractmethod
    def has_index(self) -> bool:
        """Whether `nearest` goes by candidates of an index."""

    @abstractmethod
    def read(self, stop: int | None = None) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yield the vectors up to row `stop` in blocks [n, d], of length 1, with the number of the first.

        Raises `InputError` for a vector without direction.
        """

    @abstractmethod
    def vectors_of(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the vectors of some rows, of length 1, float32 [rows, d]."""

    @abstractmethod
    def nearest(
        self, queries: NDArray[np.float32], k: int, *, exact: bool = False
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return what `similarity.top_k` does; by an index where there is one, unless `exact`."""

    def __len__(self) -> int:
        return len(self.corpus)

    @property
    def texts(self) -> Sequence[Text]:
        """The texts, each as it is asked for."""
        return self.corpus.texts

    def known_rows(self, first: int, count: int) -> NDArray[np.int64]:
        """Return which of `count` rows from number `first` on the model knows something of, from 0."""
        import numpy as np

        unknown = self.corpus.unknown
        return np.arange(count) if unknown is None else np.flatnonzero(~unknown[first : first + count])

    def blocks(self, rows: int, what: str) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yield blocks of `rows` vectors, as `read` does, and show how far the work on them is, as `what`.

        Nothing of the dataset is read while a block is worked on.
        """
        import numpy as np

        with self.progress(what, total=len(self), unit="texts") as advance:
            for start in range(0, len(self), rows):
                block = self.vectors_of(np.arange(start, min(start + rows, len(self))))
                yield start, block
                advance(len(block))


class LoadedCorpus(CorpusInBlocks):
    """A corpus in memory, as those are taken that are not. Texts of which the model knows nothing are out."""

    def __init__(self, corpus: Corpus, progress: Progress = silent) -> None:
        self.progress = progress
        self.dimensions = corpus.vectors.shape[1]
        self._corpus = corpus

    @property
    def corpus(self) -> Corpus:
        return self._corpus

    @property
    def has_index(self) -> bool:
        return False

    def read(self, stop: int | None = None) -> Iterator[tuple[int, NDArray[np.float32]]]:
        for start in range(0, len(self) if stop is None else stop, _SCANNED):
            yield start, self._corpus.vectors[:stop][start : start + _SCANNED]

    def vectors_of(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        return self._corpus.vectors[rows]

    def nearest(
        self, queries: NDArray[np.float32], k: int, *, exact: bool = False
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        return self._corpus.nearest(queries, k)


class StoredCorpus(CorpusInBlocks):
    """The rows of a dataset that have a vector, in its order.

    Attributes:
        stored: the dataset.
    """

    def __init__(
        self,
        stored: StoredVectors,
        types: Mapping[str, Any] | None = None,
        progress: Progress = silent,
        *,
        index_from: int = _INDEX_FROM,
    ) -> None:
        """Take a dataset whose fields have these `types` of Arrow; nothing is read yet.

        Its index is used if its vectors have at least `index_from` numbers.
        """
        self._index_from = index_from
        self.stored = stored
        self.progress = progress
        self.dimensions = stored.dimensions
        self._types = types or {}

    def __len__(self) -> int:
        return len(self.row_ids)

    @cached_property
    def corpus(self) -> Corpus:
        """The texts, each read when it is asked for. The vectors are left out."""
        import numpy as np

        none = np.empty((0, self.dimensions), np.float32)
        return Corpus(_StoredTexts(self), none, self.stored.model, saved=True, types=self._types)

    @cached_property
    def has_index(self) -> bool:
        numbers = len(self) * self.dimensions
        return numbers >= self._index_from and CandidateIndex.of(self.stored) is not None

    @cached_property
    def row_ids(self) -> NDArray[np.uint64]:
        """The ids by which the dataset knows the rows, uint64 [n]."""
        import numpy as np

        return np.concatenate([np.empty(0, np.uint64), *(ids for ids, _ in self.stored.blocks())])

    def read(self, stop: int | None = None) -> Iterator[tuple[int, NDArray[np.float32]]]:
        first = 0
        for row_ids, block in self.stored.blocks(rows=_SCANNED):
            part = block if stop is None else block[: max(0, stop - first)]
            if len(part):
                yield first, self.stored.of_length_one(row_ids[: len(part)], part)
            first += len(block)
            if stop is not None and first >= stop:
                return

    def vectors_of(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        import numpy as np

        found = np.empty((len(rows), self.dimensions), np.float32)
        for start in range(0, len(rows), _SCANNED):
            row_ids = self.row_ids[rows[start : start + _SCANNED]]
            vectors = self.stored.take_vectors(row_ids)
            found[start : start + len(row_ids)] = self.stored.of_length_one(row_ids, vectors)
        return found

    def nearest(
        self, queries: NDArray[np.float32], k: int, *, exact: bool = False
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        found = nearest(self.stored, queries, k, exact=exact or not self.has_index, index_from=0)
        return found.scores, self._numbers_of(found.row_ids)

    def take(self, rows: NDArray[np.int64]) -> VectorBatch:
        """Return what the dataset holds of some rows, the vectors as they are there."""
        file = self.stored.take(self.row_ids[rows])
        return file.batch(0, len(file))

    def texts_of(self, rows: NDArray[np.int64]) -> list[Text]:
        """Return the texts of some rows."""
        batch = self.take(rows)
        found = zip(batch.ids, batch.texts, rows.tolist(), batch.fields, strict=True)
        source = self.stored.name
        return [Text(name, text or "", Place(source, row + 1), fields) for name, text, row, fields in found]

    def batches(self, rows: NDArray[np.int64]) -> Iterator[VectorBatch]:
        """Yield what `take` returns, in parts."""
        for start in range(0, len(rows), _TEXTS):
            yield self.take(rows[start : start + _TEXTS])

    def _numbers_of(self, row_ids: NDArray[np.uint64]) -> NDArray[np.int64]:
        import numpy as np

        order, ids = self._ascending
        found = np.searchsorted(ids, row_ids)
        return found if order is None else order[found]

    @cached_property
    def _ascending(self) -> tuple[NDArray[np.int64] | None, NDArray[np.uint64]]:
        """The ids in ascending order, and where they stood before; None if there."""
        import numpy as np

        ids = self.row_ids
        if (ids[1:] > ids[:-1]).all():
            return None, ids
        order = np.argsort(ids)
        return order, ids[order]


class _StoredTexts(TextsOnDemand):
    # Results are shown in the order of the rows, or by `at`.

    def __init__(self, corpus: StoredCorpus) -> None:
        """Read nothing yet."""
        self._corpus = corpus
        self._first = 0
        self._near: list[Text] = []

    def __len__(self) -> int:
        return len(self._corpus)

    def text(self, row: int) -> Text:
        import numpy as np

        if not self._first <= row < self._first + len(self._near):
            # The next of those that were read last are likely to be asked for in turn.
            many = _TEXTS if row == self._first + len(self._near) else 1
            self._near = self._corpus.texts_of(np.arange(row, min(row + many, len(self))))
            self._first = row
        return self._near[row - self._first]

    def at(self, rows: NDArray[np.int64]) -> Iterator[Text]:
        for start in range(0, len(rows), _TEXTS):
            yield from self._corpus.texts_of(rows[start : start + _TEXTS])

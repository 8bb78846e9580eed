"""A corpus that is larger than memory: its vectors and texts stay in their dataset until they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, overload

from simil import similarity
from simil.errors import InputError, Place
from simil.formats.lance_library import lance_errors
from simil.index.nearest import nearest
from simil.progress import Progress, silent
from simil.tasks.corpus import Corpus, content_of
from simil.texts import Text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from simil.vectors.stored_vectors import StoredVectors

__all__ = ["StoredCorpus"]

_TEXTS = 1024  # taken at once


class StoredCorpus:
    """The rows of a dataset that have a vector, numbered from 0 in its order.

    Attributes:
        stored: the dataset.
        progress: what shows how far a pass over it is.
    """

    def __init__(
        self, stored: StoredVectors, types: Mapping[str, Any] | None = None, progress: Progress = silent
    ) -> None:
        """Take a dataset whose fields have these `types` of Arrow; nothing is read yet."""
        self.stored = stored
        self.progress = progress
        self._types = types or {}

    def __len__(self) -> int:
        return len(self.row_ids)

    @property
    def dimensions(self) -> int:
        """The length of a vector."""
        return self.stored.dimensions

    @cached_property
    def corpus(self) -> Corpus:
        """The texts as a corpus, each read when it is asked for. Its vectors are left out."""
        import numpy as np

        none = np.empty((0, self.dimensions), np.float32)
        texts = _StoredTexts(self.stored, self.row_ids)
        return Corpus(texts, none, self.stored.model, saved=True, types=self._types)

    @cached_property
    def row_ids(self) -> NDArray[np.uint64]:
        """The ids by which the dataset knows the rows, uint64 [n]."""
        import numpy as np

        column, place = self.stored.column, Place(self.stored.name)
        with lance_errors(place):
            scanner = self.stored.dataset.scanner(
                columns=[], with_row_id=True, filter=f"`{column}` IS NOT NULL", scan_in_order=True
            )
            parts = [batch.column("_rowid").to_numpy() for batch in scanner.to_batches()]
        return np.concatenate([np.empty(0, np.uint64), *parts])

    def numbers_of(self, row_ids: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Return the numbers of rows by their ids."""
        import numpy as np

        order, ids = self._ascending
        found = np.searchsorted(ids, row_ids)
        return found if order is None else order[found]

    def blocks(self, rows: int, what: str) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yield the vectors [n, d] of up to `rows` rows at a time, of length 1, with the number of the first.

        `what` is shown beside the progress. Raises `InputError` for a vector without direction.
        """
        with self.progress(what, total=len(self), unit="texts") as advance:
            for first, block in self.read(rows):
                yield first, block
                advance(len(block))

    def read(self, rows: int, *, among: slice = slice(None)) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yield vectors as `blocks` does, without progress, of those rows that are `among` these only."""
        start, stop, _ = among.indices(len(self))
        first = 0
        for _, block in self.stored.blocks(rows=rows):
            if first >= stop:
                return
            part = block[max(0, start - first) : stop - first]
            if len(part):
                place = max(start, first)
                yield place, self._of_length_one(part, place)
            first += len(block)

    def vectors_of(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the vectors of some rows, of length 1, float32 [rows, d]."""
        import numpy as np

        if not len(rows):
            return np.empty((0, self.dimensions), np.float32)
        return similarity.of_length_one(self.stored.take(self.row_ids[rows]).vectors)

    def nearest(
        self, queries: NDArray[np.float32], k: int, *, exact: bool = False
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return what `similarity.top_k` does, by the index where the dataset has one that pays."""
        found = nearest(self.stored, queries, k, exact=exact)
        return found.scores, self.numbers_of(found.row_ids)

    @cached_property
    def _ascending(self) -> tuple[NDArray[np.int64] | None, NDArray[np.uint64]]:
        """The ids in ascending order, and where they stood before; None if there."""
        import numpy as np

        ids = self.row_ids
        if (ids[1:] > ids[:-1]).all():
            return None, ids
        order = np.argsort(ids)
        return order, ids[order]

    def _of_length_one(self, block: NDArray[np.float32], first: int) -> NDArray[np.float32]:
        try:
            return similarity.of_length_one(block, first)
        except InputError as exc:
            raise InputError(exc.message, place=Place(self.stored.name)) from exc


class _StoredTexts(Sequence[Text]):
    # Whoever shows many asks for them in order, or by `at`.

    def __init__(self, stored: StoredVectors, row_ids: NDArray[np.uint64]) -> None:
        self._stored = stored
        self._row_ids = row_ids
        self._first = 0
        self._near: list[Text] = []

    def __len__(self) -> int:
        return len(self._row_ids)

    @overload
    def __getitem__(self, index: int) -> Text: ...
    @overload
    def __getitem__(self, index: slice) -> list[Text]: ...
    def __getitem__(self, index: int | slice) -> Text | list[Text]:
        import numpy as np

        if isinstance(index, slice):
            return self._taken(np.arange(len(self))[index])
        row = range(len(self))[index]
        if not self._first <= row < self._first + len(self._near):
            # The next of those that were read last are likely to be asked for in turn.
            many = _TEXTS if row == self._first + len(self._near) else 1
            self._near = self._taken(np.arange(row, min(row + many, len(self))))
            self._first = row
        return self._near[row - self._first]

    def at(self, rows: NDArray[np.int64]) -> Iterator[Text]:
        """Yield the texts of some rows, many taken at once."""
        for start in range(0, len(rows), _TEXTS):
            yield from self._taken(rows[start : start + _TEXTS])

    def _taken(self, rows: NDArray[np.int64]) -> list[Text]:
        if not len(rows):
            return []
        file = self._stored.take(self._row_ids[rows])
        kinds = zip(file.ids, file.texts, rows.tolist(), file.fields, strict=True)
        return [Text(name, text or "", Place(file.source, row + 1), fields) for name, text, row, fields in kinds]

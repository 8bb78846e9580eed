"""Which texts a dataset has the vectors of: looked up by hash, and compared letter by letter."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from simil.formats.arrow_library import arrow
from simil.formats.arrow_schemas import ColumnRoles, hash_column
from simil.formats.arrow_values import python_values
from simil.formats.lance_library import lance_errors
from simil.vectors.embedding_facts import text_hashes
from simil.vectors.stored_vectors import StoredVectors

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["StoredTexts"]


class StoredTexts:
    """The texts of one version of a dataset; keeps 16 bytes of each in memory.

    Attributes:
        stored: the dataset, which simil wrote.
        count: how many texts were found so far.
    """

    def __init__(self, stored: StoredVectors) -> None:
        """Read nothing yet."""
        self.stored = stored
        self.count = 0

    def find(self, texts: Sequence[str]) -> tuple[list[int], NDArray[np.float32]]:
        """Return the places of the texts that the dataset has, and their vectors [n, dimensions]."""
        import numpy as np

        hashes, row_ids = self._known
        wanted = text_hashes(texts).to_numpy()
        at = np.searchsorted(hashes, wanted)
        at[at == len(hashes)] = 0
        places = np.flatnonzero(hashes[at] == wanted) if len(hashes) else np.empty(0, np.intp)
        found, vectors = self._rows(row_ids[at[places]]) if len(places) else ([], np.empty((0, 0)))
        same = [row for row, place in enumerate(places.tolist()) if found[row] == texts[place]]
        self.count += len(same)
        return places[same].tolist(), np.asarray(vectors, np.float32)[same]

    @cached_property
    def _known(self) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
        """The hashes of all texts that have a vector, in order, and where each stands."""
        import numpy as np

        dataset, column = self.stored.dataset, hash_column(self.stored.dataset.schema)
        with lance_errors(self.stored.place):
            rows = dataset.scanner(
                columns=[column], with_row_id=True, filter=f"`{column}` IS NOT NULL"
            ).to_table()
        hashes = rows.column(column).to_numpy()
        order = np.argsort(hashes, kind="stable")
        return hashes[order], rows.column("_rowid").to_numpy()[order]

    def _rows(self, row_ids: NDArray[np.uint64]) -> tuple[list[str | None], NDArray[np.float32]]:
        """Return texts and vectors of rows, in this order."""
        pa = arrow()
        roles = ColumnRoles.of(self.stored.dataset.schema)
        assert roles is not None
        with lance_errors(self.stored.place):
            columns = [roles.text, roles.embedding]
            table = self.stored.dataset._take_rows(pa.array(row_ids), columns).combine_chunks()
        texts = python_values(table.column(roles.text))
        numbers = table.column(roles.embedding).combine_chunks().flatten().to_numpy(zero_copy_only=False)
        return texts, numbers.reshape(len(table), -1)

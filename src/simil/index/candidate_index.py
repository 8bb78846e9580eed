"""Candidates for the nearest rows of a dataset, by its vector index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from simil.formats.lance_library import lance_errors
from simil.index.index_description import fragments_left
from simil.vectors.where_conditions import where_errors

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from simil.vectors.stored_vectors import StoredVectors

__all__ = ["NO_ROW", "CandidateIndex"]

NO_ROW = (1 << 64) - 1
"""Stands where a query has fewer candidates than others."""

_PROBES = 20  # partitions that are searched at first
_LEAST_SHARE = 1 / 50  # of all partitions, where there are many
_SPARE, _FACTOR = 120, 8  # candidates for k results: codes rank the nearest rows only roughly


@dataclass(frozen=True, eq=False)
class CandidateIndex:
    """An index on the vectors of one version of a dataset, by their cosine.

    Attributes:
        stored: the dataset.
        name: the name of the index.
        kind: its kind, in Lance's words.
        fragments_left: the fragments of the dataset whose rows are not in it.
    """

    stored: StoredVectors
    name: str
    kind: str
    fragments_left: Sequence[Any]

    @classmethod
    def of(cls, stored: StoredVectors) -> CandidateIndex | None:
        """Return the index of a dataset; None if there is none, or it goes by another distance."""
        dataset = stored.dataset
        with lance_errors(stored.place):
            for index in dataset.describe_indices():
                by_cosine = (index.details or {}).get("metric_type") == "COSINE"
                if index.field_names == [stored.column] and by_cosine:
                    return cls(stored, index.name, index.index_type, fragments_left(dataset, index))
        return None

    @cached_property
    def partitions(self) -> int:
        """How many partitions it has."""
        return len(self.stored.dataset.get_ivf_model(self.name).centroids)

    def rows_that_count(self, where: str | None) -> int:
        """Return how many rows meet a condition, which reads the columns it names."""
        with where_errors(self.stored.place, where):
            return int(self.stored.dataset.count_rows(where))

    def share_of(self, rows: int) -> float:
        """Return which share of all rows so many are."""
        return rows / max(1, int(self.stored.dataset.count_rows()))

    def settings(self, k: int, share: float = 1) -> Mapping[str, int]:
        """Return how the `k` nearest rows are looked for, where only a `share` of the rows counts."""
        probes = max(_PROBES, int(self.partitions * _LEAST_SHARE))
        # Rows that count are in as many partitions as others.
        probes = min(self.partitions, max(probes, int(probes / max(share, 1e-9))))
        found = {"candidates": _SPARE + _FACTOR * k, "probes": probes}
        return found | {"ef": 2 * found["candidates"]} if "HNSW" in self.kind else found

    def candidates(
        self, queries: NDArray[np.float32], settings: Mapping[str, int], where: str | None
    ) -> NDArray[np.uint64]:
        """Return the ids of the rows [q, m] that the index holds for near each of `queries`, in any order."""
        import numpy as np

        count = settings["candidates"]
        table = np.full((len(queries), count), NO_ROW, np.uint64)
        for number, query in enumerate(queries):
            ids = self._found(query, settings, where)
            table[number, : len(ids)] = ids
        return table

    def _found(
        self, query: NDArray[np.float32], settings: Mapping[str, int], where: str | None
    ) -> NDArray[np.uint64]:
        search = {
            "column": self.stored.column,
            "q": query,
            "k": settings["candidates"],
            # More are searched where these do not have as many rows that count.
            "minimum_nprobes": settings["probes"],
            "ef": settings.get("ef"),
        }
        with where_errors(self.stored.place, where):
            found = self.stored.dataset.scanner(
                columns=[],
                with_row_id=True,
                nearest=search,
                filter=where,
                prefilter=True,
                fast_search=True,
                disable_scoring_autoprojection=True,
            ).to_table()
        ids: NDArray[np.uint64] = found["_rowid"].to_numpy()
        return ids

"""How many of the true nearest neighbours an index finds, measured on rows of the dataset itself."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from simil.errors import InputError
from simil.index.candidate_index import CandidateIndex
from simil.index.nearest import Nearest, nearest
from simil.vectors.where_conditions import enclosed, where_errors

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from simil.vectors.stored_vectors import StoredVectors

__all__ = ["Recall", "measure_recall"]

_SAMPLE = 100


@dataclass(frozen=True, slots=True)
class Recall:
    """How well an index finds the `k` nearest rows.

    Attributes:
        k: how many rows are asked for.
        recall: the mean share of them that it finds, from 0 to 1.
        queries: how many rows of the dataset were the queries; each is left out of its own results.
        kind: the kind of the index.
        settings: its partitions, and how it was searched.
        seconds: how long it took per query; `exact_seconds` without it, for all queries in one go.
        exact_seconds: see `seconds`.
    """

    k: int
    recall: float
    queries: int
    kind: str
    settings: Mapping[str, int]
    seconds: float
    exact_seconds: float


def measure_recall(
    stored: StoredVectors, k: int, *, where: str | None = None, queries: int = _SAMPLE
) -> Recall:
    """Search for a sample of the rows that meet `where`, by the index and exactly, and compare.

    The sample is the same every time. Another row of the same score is as good as a nearest one. Raises
    InputError for a dataset without an index on its vectors, or without rows to ask for.
    """
    index = CandidateIndex.of(stored)
    if index is None:
        hint = f"run: simil index {stored.name}"
        raise InputError("has no index on its vectors", hint=hint, place=stored.place)
    ids = _sample(stored, where, queries)
    if not len(ids):
        raise InputError("has no row to search for", place=stored.place)
    asked = stored.of_length_one(ids, stored.take_vectors(ids))
    times = [time.perf_counter()]
    found = nearest(stored, asked, k + 1, where=where, index_from=0)
    times.append(time.perf_counter())
    exact = nearest(stored, asked, k + 1, where=where, exact=True)
    times.append(time.perf_counter())
    shares = [
        _share(_others(found, number, row, k), _others(exact, number, row, k))
        for number, row in enumerate(ids.tolist())
    ]
    rows = index.rows_that_count(where)
    settings = {"partitions": index.partitions} | dict(index.settings(k + 1, index.share_of(rows)))
    return Recall(
        k,
        sum(shares) / len(shares),
        len(ids),
        index.kind,
        settings,
        (times[1] - times[0]) / len(ids),
        (times[2] - times[1]) / len(ids),
    )


def _sample(stored: StoredVectors, where: str | None, count: int) -> NDArray[np.uint64]:
    """Return the ids of up to `count` rows, evenly spread over those that meet `where`."""
    import numpy as np

    there = f"`{stored.column}` IS NOT NULL"
    condition = f"{enclosed(where)} AND {there}" if where else there
    options: dict[str, Any] = {"columns": [], "with_row_id": True, "filter": condition}
    with where_errors(stored.place, where):
        ids = stored.dataset.scanner(**options).to_table()["_rowid"].to_numpy()
    places = np.linspace(0, len(ids) - 1, min(count, len(ids))).astype(np.int64)
    sampled: NDArray[np.uint64] = ids[places]
    return sampled


def _others(found: Nearest, query: int, row: int, k: int) -> NDArray[np.float32]:
    """Return the scores of the `k` best rows apart from the query itself."""
    scores: NDArray[np.float32] = found.scores[query][found.row_ids[query] != row][:k]
    return scores


def _share(found: NDArray[np.float32], exact: NDArray[np.float32]) -> float:
    return float((found >= exact[-1]).sum() / len(exact)) if len(exact) else 1.0

"""Which indexes a dataset has, and which of its rows are in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simil.vectors.stored_vectors import StoredVectors

__all__ = ["IndexDescription", "describe"]


@dataclass(frozen=True, slots=True)
class IndexDescription:
    """One index.

    Attributes:
        name: its name in the dataset.
        column: what it is on.
        kind: "IVF_PQ", "IVF_HNSW_SQ", "IVF_RQ", "BTREE", "INVERTED" or another of Lance's.
        settings: what it was built with, such as the number of partitions.
        rows: how many rows are in it.
        rows_left: how many are not; they are found by reading all of them.
    """

    name: str
    column: str
    kind: str
    settings: Mapping[str, object]
    rows: int
    rows_left: int


def describe(stored: StoredVectors) -> tuple[IndexDescription, ...]:
    """Return the indexes of a dataset, by name."""
    return ()

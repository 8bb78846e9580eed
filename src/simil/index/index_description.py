"""Which indexes a dataset has, and which of its rows are in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from simil.formats.lance_library import lance_errors

if TYPE_CHECKING:
    from simil.vectors.stored_vectors import StoredVectors

__all__ = ["DatasetDescription", "IndexDescription", "describe", "describe_dataset", "fragments_left"]

# What Lance says of an index by the names of its own settings, and what it is called here.
_SHOWN = {
    "metric_type": "metric",
    "language": "language",
    "stem": "stemmed",
    "base_tokenizer": "tokenizer",
}


@dataclass(frozen=True, slots=True)
class IndexDescription:
    """One index.

    Attributes:
        name: its name in the dataset.
        column: what it is on.
        kind: "IVF_PQ", "IVF_HNSW_SQ", "IVF_RQ", "BTree", "Inverted" or another of Lance's.
        settings: what it was built with, such as the number of partitions.
        rows: how many rows are in it.
        rows_left: how many are not; they are found by reading all of them.
        size: its size in bytes; None where Lance does not know.
    """

    name: str
    column: str
    kind: str
    settings: Mapping[str, object]
    rows: int
    rows_left: int
    size: int | None


@dataclass(frozen=True, slots=True)
class DatasetDescription:
    """A dataset: its name, how many rows it has, with and without a vector, its files, and its indexes.

    `size` is that of all files in bytes, those of older versions among them.
    """

    name: str
    rows: int
    dimensions: int
    model: str | None
    size: int
    fragments: int
    versions: int
    indexes: tuple[IndexDescription, ...]


def describe_dataset(stored: StoredVectors) -> DatasetDescription:
    """Return what `simil index info` shows."""
    dataset = stored.dataset
    with lance_errors(stored.place):
        sizes = dataset.all_files().read_all()["size_bytes"].to_pylist()
        return DatasetDescription(
            stored.name,
            dataset.count_rows(),
            stored.dimensions,
            stored.model,
            sum(sizes),
            len(dataset.get_fragments()),
            len(dataset.versions()),
            describe(stored),
        )


def describe(stored: StoredVectors) -> tuple[IndexDescription, ...]:
    """Return the indexes of a dataset, by name."""
    with lance_errors(stored.place):
        rows = stored.dataset.count_rows()
        found = [_described(stored.dataset, index, rows) for index in stored.dataset.describe_indices()]
    return tuple(sorted(found, key=lambda index: index.name))


def _described(dataset: Any, index: Any, rows: int) -> IndexDescription:
    settings: dict[str, object] = {}
    if index.index_type.startswith("IVF_"):
        settings["partitions"] = len(dataset.get_ivf_model(index.name).centroids)
    details = index.details or {}
    settings |= {name: _plain(details[key]) for key, name in _SHOWN.items() if key in details}
    if settings.get("stemmed") is False:
        settings.pop("language", None)
    settings |= {key: value for key, value in details.get("compression", {}).items() if key != "type"}
    settings |= details.get("hnsw_index") or {}
    left = sum(fragment.count_rows() for fragment in fragments_left(dataset, index))
    column = ", ".join(index.field_names)
    return IndexDescription(
        index.name, column, index.index_type, settings, rows - left, left, index.total_size_bytes
    )


def fragments_left(dataset: Any, index: Any) -> list[Any]:
    """Return the fragments of a dataset whose rows are not in one of its indexes, as Lance describes it."""
    covered = {number for segment in index.segments for number in segment.fragment_ids}
    return [fragment for fragment in dataset.get_fragments() if fragment.fragment_id not in covered]


def _plain(value: object) -> object:
    return value.lower() if isinstance(value, str) else value

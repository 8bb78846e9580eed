"""What a file holds for each vector: the embedding as it was found, and the record that it belongs to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from simil.formats.json_values import kind_of, outline_of
from simil.vectors.embedding_values import ShapeError, is_embedding

__all__ = [
    "EMBEDDING_KEYS",
    "EmbeddedItem",
    "FailedRequest",
    "NoEmbedding",
    "items_of_records",
    "key_of",
]

EMBEDDING_KEYS = ("embedding", "vector", "embeddings", "values")


@dataclass(frozen=True, slots=True)
class EmbeddedItem:
    """An embedding, as it was found, and what belongs to it.

    Attributes:
        embedding: in any form that `numbers_of` reads; None for a text without one.
        record: its id, text and other fields.
        key: the key of `record` that holds the embedding.
        model: what made it; None if unknown.
        index: its position among the items of its answer; None if their order is that of the answer.
    """

    embedding: object
    record: Mapping[str, object]
    key: str = "embedding"
    model: object = None
    index: object = None


@dataclass(frozen=True, slots=True)
class FailedRequest:
    """A request of a batch that has no embeddings, and why."""

    id: str
    reason: str


class NoEmbedding(ShapeError):
    """Says that a value has no place for an embedding."""

    def __init__(self, value: object) -> None:
        if isinstance(value, dict):
            super().__init__(f'has no "embedding"; it is {outline_of(value)}')
        else:
            super().__init__(f"is not an object with an embedding but {kind_of(value)}")


def items_of_records(
    records: Iterable[object], model: object = None, *, indexed: bool = False
) -> Iterator[EmbeddedItem]:
    """Yield the embedding of each record; `model` made it unless the record names another.

    Where records are `indexed`, as in OpenAI's answer, "index" is their position. Raises `NoEmbedding`.
    """
    for record in records:
        key = key_of(record) if isinstance(record, dict) else None
        if not isinstance(record, dict) or key is None:
            raise NoEmbedding(record)
        index = record.get("index") if indexed else None
        yield EmbeddedItem(record[key], record, key, record.get("model") or model, index)


def key_of(record: Mapping[str, object]) -> str | None:
    """Return the key that holds the embedding, one with an embedding before one without."""
    # "values" of a text may be anything; those of Pinecone have no text beside them.
    keys = [key for key in EMBEDDING_KEYS if key in record and (key != "values" or "text" not in record)]
    if len(keys) < 2:
        return keys[0] if keys else None
    found = {key: is_embedding(record[key]) for key in keys}
    return next((key for key in keys if found[key]), None) or min(keys, key=lambda key: found[key] is False)

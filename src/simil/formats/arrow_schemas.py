"""Which columns of an Arrow table hold what: the vectors, what belongs to each, and who made them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from simil.formats.arrow_library import arrow
from simil.formats.tables import own_name

__all__ = ["HASH", "ColumnRoles", "hash_column", "model_of", "name_model", "named_vectors", "vector_column"]

_NAMES = ("embedding", "vector", "embeddings", "vectors")
# Keys of ours in the metadata of a schema.
_ROLES = {role: f"simil.{role}".encode() for role in ("id", "text", "embedding")}
_MODEL, _REVISION, _DIMENSIONS = b"simil.model", b"simil.revision", b"simil.dimensions"
# Names the column of the texts' hashes, which only a Lance dataset has.
HASH = b"simil.hash"


@dataclass(frozen=True, slots=True)
class ColumnRoles:
    """The names of the columns for id, text and vectors."""

    id: str
    text: str
    embedding: str

    @classmethod
    def beside(cls, fields: list[str]) -> ColumnRoles:
        """Return names that none of the `fields` has."""
        return cls(*(own_name(name, fields) for name in ("id", "text", "embedding")))

    @classmethod
    def of(cls, schema: Any) -> ColumnRoles | None:
        """Return those that simil named in a schema; None in a file of others."""
        metadata = schema.metadata or {}
        if not metadata.keys() >= {*_ROLES.values()}:
            return None
        names = [metadata[key].decode("utf-8", "replace") for key in _ROLES.values()]
        roles = cls(*names)
        # Other programs keep the metadata and change the columns.
        return roles if {*names} <= {*schema.names} and roles.embedding in _lists(schema) else None

    def metadata(self) -> dict[bytes, bytes]:
        """Return them as metadata of a schema."""
        names = (self.id, self.text, self.embedding)
        return {key: name.encode() for key, name in zip(_ROLES.values(), names, strict=True)}


def name_model(stamp: str | None, dimensions: int | None) -> dict[bytes, bytes]:
    """Return what made the vectors as metadata of a schema: model, revision and dimensions."""
    model, _, revision = (stamp or "").rpartition("@")
    if not model or not revision:
        model, revision = stamp or "", ""
    said = {_MODEL: model, _REVISION: revision, _DIMENSIONS: str(dimensions or "")}
    return {key: value.encode() for key, value in said.items() if value}


def model_of(metadata: Mapping[bytes, bytes] | None) -> str | None:
    """Return what made the vectors, None if the file does not say."""
    said = [(metadata or {}).get(key, b"").decode("utf-8", "replace") for key in (_MODEL, _REVISION)]
    return "@".join(filter(None, said)) or None


def hash_column(schema: Any) -> str | None:
    """Return the column of the texts' hashes, which is none of the user's fields; None if there is none."""
    name = (schema.metadata or {}).get(HASH, b"").decode("utf-8", "replace")
    return name if name in schema.names else None


def named_vectors(schema: Any) -> str | None:
    """Return the column that holds vectors by its name; None if there is none.

    It is that which simil wrote, or one called "embedding" or "vector" that holds lists of numbers.
    """
    roles = ColumnRoles.of(schema)
    if roles is not None:
        return roles.embedding
    lists = _lists(schema)
    return next((name for name in _NAMES if name in lists), None)


def vector_column(schema: Any) -> str | None:
    """Return the column that holds vectors: one with a name for it, or the only one of lists of floats."""
    named = named_vectors(schema)
    if named is not None:
        return named
    floats = [name for name, item in _lists(schema).items() if arrow().types.is_floating(item)]
    return floats[0] if len(floats) == 1 else None


def _lists(schema: Any) -> dict[str, Any]:
    """Return the columns that hold lists of numbers, and the type of the numbers."""
    return {field.name: item for field in schema if (item := _item_of(field.type)) is not None}


def _item_of(form: Any) -> Any:
    """Return the type of the numbers in the lists of a type, None if it is no such type."""
    pa = arrow()
    types = pa.types
    if isinstance(form, pa.FixedShapeTensorType):
        form = form.storage_type
    tests = (
        types.is_list,
        types.is_large_list,
        types.is_fixed_size_list,
        types.is_list_view,
        types.is_large_list_view,
    )
    if not any(test(form) for test in tests):
        return None
    item = form.value_type
    return item if types.is_floating(item) or types.is_integer(item) else None

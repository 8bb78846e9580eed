"""What belongs to a vector in a file: its id, its text and other fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from simil.formats.json_values import json_of, kind_of
from simil.vectors.embedding_values import ShapeError

__all__ = ["describe", "describe_all"]

_PLAIN = {"id": None, "text": None}.keys()
_NO_FIELDS: Mapping[str, object] = MappingProxyType({})
_OWN = frozenset({"id", "text", "model", "fields"})
_OF_OPENAI = frozenset({"object", "index"})
_EXACT_INTEGERS = 2**53


def describe_all(
    items: Sequence[Mapping[str, object]],
) -> tuple[tuple[str, ...], tuple[str | None, ...], tuple[Mapping[str, object], ...]]:
    """Return ids, texts and other fields of the items of a file; raises `ShapeError` as `describe` does.

    The message begins with the item's number.
    """
    # The fast path for what simil itself writes: items with an id, a text and nothing else.
    if all(item.keys() == _PLAIN for item in items):
        ids, texts = [item["id"] for item in items], [item["text"] for item in items]
        if set(map(type, ids)) | set(map(type, texts)) <= {str}:
            return tuple(map(str, ids)), tuple(map(str, texts)), (_NO_FIELDS,) * len(items)
    described = []
    for number, item in enumerate(items, 1):
        try:
            described.append(describe(item, str(number)))
        except ShapeError as exc:
            raise ShapeError(f"item {number} {exc}", exc.hint) from exc
    if not described:
        return (), (), ()
    names, contents, fields = zip(*described, strict=True)
    return names, contents, fields


def describe(
    item: Mapping[str, object], default_id: str, key: str = "embedding", *, indexed: bool = False
) -> tuple[str, str | None, dict[str, object]]:
    """Return id, text and other fields of an item; raises `ShapeError` that says what is wrong with it.

    Other fields are under "fields" or beside the known names. `key` holds the embedding. "object" and "index"
    are fields, but in an item as OpenAI's API returns it; "index" also where items are `indexed`.
    """
    text = item.get("text")
    if text is not None and not isinstance(text, str):
        raise ShapeError('has a "text" that is not a string')
    fields = item.get("fields") or {}
    if not isinstance(fields, dict):
        raise ShapeError('has "fields" that are not an object')
    own = _OWN | _OF_OPENAI if indexed or item.get("object") == "embedding" else _OWN
    others = {name: value for name, value in item.items() if name not in own and name != key}
    return _id_of(item, default_id), text, {**others, **fields}


def _id_of(item: Mapping[str, object], default: str) -> str:
    """Return the id, a number or boolean as JSON writes it; the default only where there is none."""
    if "id" not in item:
        return default
    found = item["id"]
    if isinstance(found, str):
        return found
    if type(found) is int:
        return str(found)
    if not isinstance(found, bool | float):
        raise ShapeError(f'has an "id" that is {kind_of(found)}', "give a string or a number")
    if abs(found) >= _EXACT_INTEGERS:  # Two such ids could be the same float.
        raise ShapeError('has an "id" that is a number too large to be exact', "give a string")
    return json_of(found).decode()

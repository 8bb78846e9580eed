"""One embedding in any of the forms that APIs and databases give it, as a list of numbers."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping

__all__ = ["ShapeError", "is_embedding", "listed", "numbers_of"]

_BASE64 = re.compile(r"[A-Za-z0-9+/]{16,}={0,2}")
# pgvector writes [1,2], an array column {1,2}, NumPy [1. 2.].
_LISTED = re.compile(r"\s*(\[\s*[-+.0-9][^\[\]]*\]|\{\s*[-+.0-9][^{}:]*\})\s*")
_WRITTEN = re.compile(r"\s*[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?\s*")
_FLOATS = ("values", "float", "base64")
# What Cohere, Voyage and Jina call embeddings whose numbers are rounded or packed.
_ROUNDED = frozenset({"int8", "uint8", "binary", "ubinary"})


class ShapeError(ValueError):
    """Says what is wrong with a value that should hold embeddings, and what to do about it."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def is_embedding(value: object) -> bool | None:
    """Return whether `value` stands for an embedding; None if it is null or empty, which tells nothing.

    An embedding of a kind that is not read, such as one of packed bits, counts: it must not be ignored.
    """
    match value:
        case None | []:
            return None
        case str():
            return bool(_LISTED.fullmatch(value)) or _is_base64(value)
        case [str() as first, *_]:  # Numbers that are written as strings are refused, not ignored.
            return bool(_WRITTEN.fullmatch(first))
        case [first, *_]:
            return bool(is_embedding(first)) if isinstance(first, list) else type(first) in (int, float)
        case dict() if value:
            known = [value[key] for key in (*_FLOATS, *_ROUNDED) if key in value]
            return any(map(is_embedding, known)) if known else all(map(is_embedding, value.values()))
        case _:
            return False


def numbers_of(value: object) -> list[float]:
    """Return the numbers of an embedding; raises `ShapeError` if it is none, or one for each token."""
    match value:
        case list() if set(map(type, value)) <= {int, float}:
            return value
        case [list() as only]:
            return numbers_of(only)
        case [list(), *_]:
            raise ShapeError(
                f"has {len(value)} vectors, one for each token, not one for the text",
                "ask the server for pooled embeddings",
            )
        case str():
            return listed(value) if value.lstrip()[:1] in ("[", "{") else _from_base64(value)
        case dict() if value:
            return numbers_of(_only_part(value))
    raise ShapeError("has an embedding that is not a list of numbers")


def listed(text: str) -> list[float]:
    """Return the numbers of a list that is written out, as in `[0.1,0.2]`; raises `ShapeError`."""
    import orjson

    inner = text.strip()[1:-1]
    if "..." in inner:
        raise ShapeError(
            "has an embedding that is abbreviated with ...", "write all of its numbers, as a list"
        )
    try:
        numbers: list[float] = orjson.loads(f"[{inner}]")
    except orjson.JSONDecodeError:
        numbers = _loosely(inner)
    if not set(map(type, numbers)) <= {int, float}:
        raise ShapeError("has an embedding that is not a list of numbers")
    return numbers


def _loosely(inner: str) -> list[float]:
    """Read numbers as programs other than JSON's write them: `.5`, `1.`, with spaces between them."""
    try:
        if "_" in inner:  # Only Python allows it between digits.
            raise ValueError
        return [float(part) for part in (inner.split(",") if "," in inner else inner.split())]
    except ValueError:
        raise ShapeError("has an embedding that is not a list of numbers") from None


def _only_part(parts: Mapping[str, object]) -> object:
    """Return the embedding among those of several types or names."""
    for key in _FLOATS:
        if key in parts:
            return parts[key]
    if not _ROUNDED.isdisjoint(parts):
        raise ShapeError(f"has an embedding only as {', '.join(parts)}", "ask the API for float embeddings")
    if len(parts) > 1:
        names = ", ".join(map(repr, [*parts][:4]))
        raise ShapeError(f"has {len(parts)} embeddings: {names}", "give each item one embedding")
    return next(iter(parts.values()))


def _from_base64(text: str) -> list[float]:
    import numpy as np

    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as exc:
        raise ShapeError(f"has an embedding that is not base64: {exc}") from exc
    if len(data) % 4:
        raise ShapeError(
            f"has an embedding that is cut short: {len(data)} bytes are not a whole number of float32 values"
        )
    numbers: list[float] = np.frombuffer(data, dtype="<f4").tolist()
    return numbers


def _is_base64(text: str) -> bool:
    # 4 characters are 3 bytes, and a number is 4.
    return bool(_BASE64.fullmatch(text)) and len(text) % 4 == 0 and len(text.rstrip("=")) * 3 // 4 % 4 == 0

"""The bodies of OpenAI's embeddings requests and replies.

Follows the published specification of `POST /v1/embeddings`, and how compatible servers (Ollama,
vLLM, text-embeddings-inference, llama.cpp) implement it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "BadAnswer",
    "Reply",
    "answer_limit",
    "json_of",
    "refuses_encoding",
    "request_body",
    "vectors_of",
]

_MEBIBYTE = 1 << 20
_NOT_JSON = "sent an answer that is not JSON"


class BadAnswer(ValueError):
    """An answer that cannot be used; the message continues after the server's name.

    `is_damaged` says that the answer was damaged in transit, so another one may be right.
    """

    def __init__(self, message: str, *, is_damaged: bool = False) -> None:
        super().__init__(message)
        self.is_damaged = is_damaged


@dataclass(frozen=True, slots=True)
class Reply:
    """A server's answer to one request; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def media_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


def json_of(body: bytes) -> object:
    """Return the JSON document in `body`, or raise `BadAnswer`."""
    import orjson

    try:
        document: object = orjson.loads(body)
    except orjson.JSONDecodeError as exc:
        raise BadAnswer(_NOT_JSON) from exc
    return document


def request_body(model: str, texts: Sequence[str], encoding: str | None, dimensions: int | None) -> bytes:
    """Return the JSON of one request; fields that are None are left out, and the server decides."""
    import orjson

    fields = {"model": model, "input": list(texts), "encoding_format": encoding, "dimensions": dimensions}
    return orjson.dumps({name: value for name, value in fields.items() if value is not None})


def refuses_encoding(reply: Reply) -> bool:
    """Return whether `reply` refuses the field `encoding_format` or its value."""
    return reply.status in {400, 422} and b"encoding_format" in reply.body


def answer_limit(count: int) -> int:
    """Return how many bytes an answer with `count` vectors may have; 10,000 floats as text need 256 KiB."""
    return min(_MEBIBYTE + count * (_MEBIBYTE // 4), 512 * _MEBIBYTE)


def vectors_of(reply: Reply, count: int) -> tuple[NDArray[np.float32], int | None]:
    """Return the vectors of a successful `reply`, and the number of tokens that the server counted, or None.

    The vectors are in the order of the request, shape (count, dimensions). Raises `BadAnswer` unless there
    are exactly `count` vectors, one for each place, all finite and of the same length.
    """
    import numpy as np

    document = _document(reply)
    rows = _rows(document)
    if len(rows) != count:
        raise BadAnswer(f"returned {len(rows)} vectors for {count} texts")
    vectors: NDArray[np.float32] | None = None
    for place, row in zip(_places(rows), rows, strict=True):
        vector = _vector(row.get("embedding"))
        if vectors is None:
            vectors = np.empty((count, len(vector)), dtype=np.float32)
        if len(vector) != vectors.shape[1]:
            raise BadAnswer(f"returned vectors of both {vectors.shape[1]} and {len(vector)} dimensions")
        vectors[place] = vector
    if vectors is None or not vectors.shape[1]:
        raise BadAnswer("returned no vectors")
    if not np.isfinite(vectors).all():
        raise BadAnswer("returned a value that is not a finite number")
    return vectors, _counted_tokens(document)


def _counted_tokens(document: object) -> int | None:
    usage = document.get("usage") if isinstance(document, dict) else None
    counted = usage.get("total_tokens", usage.get("prompt_tokens")) if isinstance(usage, dict) else None
    return counted if type(counted) is int and counted >= 0 else None


def _document(reply: Reply) -> object:
    media_type = reply.media_type
    if media_type and media_type != "application/json" and not media_type.endswith("+json"):
        page = " (a web page)" if media_type == "text/html" else ""
        raise BadAnswer(f"{_NOT_JSON}{page}")
    try:
        return json_of(reply.body)
    except BadAnswer as exc:
        # Without its end it was cut off in transit; a complete answer would be just as wrong next time.
        raise BadAnswer(str(exc), is_damaged=not reply.body.rstrip().endswith(b"}")) from exc


def _rows(document: object) -> list[dict[str, Any]]:
    rows = document.get("data") if isinstance(document, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise BadAnswer("sent JSON without a list of vectors")
    return rows


def _places(rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """Return the place of each row; servers that number no rows keep the order of the request."""
    places = [row.get("index") for row in rows]
    if all(place is None for place in places):
        return list(range(len(rows)))
    taken: set[int] = set()
    for place in places:
        if type(place) is not int or not 0 <= place < len(rows):
            raise BadAnswer("returned a vector that belongs to none of the texts")
        if place in taken:
            raise BadAnswer(f"returned two vectors for text {place + 1} of a request")
        taken.add(place)
    return [place for place in places if place is not None]


def _vector(embedding: object) -> NDArray[np.float32]:
    import numpy as np

    if isinstance(embedding, str):
        try:
            return np.frombuffer(base64.b64decode(embedding, validate=True), dtype="<f4")
        except (binascii.Error, ValueError) as exc:
            raise BadAnswer("returned a vector that is not base64 of float32 numbers") from exc
    if not isinstance(embedding, list) or not set(map(type, embedding)) <= {int, float}:
        raise BadAnswer("returned a vector that is not a list of numbers")
    with np.errstate(over="ignore"):  # a number beyond float32 becomes infinite, which is reported
        return np.asarray(embedding, dtype=np.float64).astype(np.float32)

"""The bodies of OpenAI's embeddings requests and replies.

Follows the published specification of `POST /v1/embeddings`, and how compatible servers (Ollama,
vLLM, text-embeddings-inference, llama.cpp) implement it.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "Answer",
    "BadAnswer",
    "Reply",
    "answer_limit",
    "answer_of",
    "json_of",
    "refuses_encoding",
    "request_body",
]

_MEBIBYTE = 1 << 20
_LONGEST_NAME = 256
_NOT_FINITE = "returned a value that is not a finite number"
_NOT_JSON = "sent an answer that is not JSON"


class BadAnswer(ValueError):
    """An answer that cannot be used; the message continues after the server's name.

    `is_damaged` says that the answer was damaged in transit, so another one may be right; `hint` what to do;
    `is_of_texts` that all is well with it but that no text has a vector.
    """

    def __init__(
        self,
        message: str,
        *,
        is_damaged: bool = False,
        hint: str = "check the base URL and the server",
        is_of_texts: bool = False,
    ) -> None:
        super().__init__(message)
        self.is_damaged = is_damaged
        self.hint = hint
        self.is_of_texts = is_of_texts


@dataclass(frozen=True, slots=True)
class Reply:
    """A server's answer to one request; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def media_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


@dataclass(frozen=True, eq=False, slots=True)
class Answer:
    """A successful answer to one request.

    `vectors` float32 [texts, dimensions] are in the order of the request; `faults` says of some texts, by
    their places, why they have none; `tokens` is how many the server counted, and `model` what it calls its
    model, each None if it does not say.
    """

    vectors: NDArray[np.float32]
    faults: Mapping[int, str]
    tokens: int | None
    model: str | None


def json_of(body: bytes) -> object:
    """Return the JSON document in `body`, or raise `BadAnswer`; NaN and Infinity are read as numbers."""
    import orjson

    try:
        # Some servers write these, and only the vectors that hold them are bad.
        is_lax = b"NaN" in body or b"Infinity" in body
        document: object = json.loads(body) if is_lax else orjson.loads(body)
    except (ValueError, RecursionError) as exc:
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


def answer_of(reply: Reply, count: int, dimensions: int | None) -> Answer:
    """Return the answer in a successful `reply` to a request with `count` texts.

    `dimensions` is the expected length of a vector; None if unknown, then the length of most decides. Raises
    `BadAnswer` where it is unclear which vector belongs to which text, and where no vector is right.
    """
    import numpy as np

    document = _document(reply)
    rows = _rows(document)
    places = _places(rows, count)
    vectors: dict[int, NDArray[np.float32]] = {}
    faults = dict.fromkeys({*range(count)} - {*places}, "returned no vector")
    for place, row in zip(places, rows, strict=True):
        try:
            vectors[place] = _vector(row.get("embedding"))
        except BadAnswer as exc:
            faults[place] = str(exc)
    if not vectors:
        raise BadAnswer(next(iter(faults.values())), is_of_texts=True)
    width = _width(vectors, dimensions)
    stacked = np.full((count, width), np.nan, np.float32)
    for place, vector in vectors.items():
        if len(vector) == width:
            stacked[place] = vector
        else:
            faults[place] = _of_another_width(len(vector), width)
    return Answer(stacked, dict(sorted(faults.items())), _counted_tokens(document), _model(document))


def _width(vectors: Mapping[int, NDArray[np.float32]], expected: int | None) -> int:
    """Return the right length of a vector; raises `BadAnswer` if that is unclear, or no vector has it."""
    lengths = Counter(map(len, vectors.values()))
    (width, most), *others = lengths.most_common()
    if expected is not None:
        if expected not in lengths:
            hint = "check the model name, and whether the model supports other dimensions"
            raise BadAnswer(_of_another_width(width, expected), hint=hint)
        return expected
    if 2 * most <= len(vectors):
        raise BadAnswer(f"returned vectors of both {width} and {others[0][0]} dimensions")
    return width


def _of_another_width(found: int, expected: int) -> str:
    return f"returned {found} dimensions where {expected} were expected"


def _counted_tokens(document: object) -> int | None:
    usage = document.get("usage") if isinstance(document, dict) else None
    counted = usage.get("total_tokens", usage.get("prompt_tokens")) if isinstance(usage, dict) else None
    return counted if type(counted) is int and counted >= 0 else None


def _model(document: object) -> str | None:
    """Return what the server calls its model, if it is a name and no text of another kind."""
    name = document.get("model") if isinstance(document, dict) else None
    is_name = isinstance(name, str) and name.isprintable() and 0 < len(name) <= _LONGEST_NAME
    return str(name) if is_name else None


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
    if isinstance(rows, list):
        rows = [{} if row is None else row for row in rows]
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise BadAnswer("sent JSON without a list of vectors")
    return rows


def _places(rows: Sequence[Mapping[str, Any]], count: int) -> list[int]:
    """Return the place of each row; servers that number no rows keep the order of the request.

    A row that is missing is known by a gap in the numbers. Otherwise the server may have numbered what was
    left, and any text may be the one without a vector.
    """
    places = [row.get("index") for row in rows]
    taken: set[int] = set()
    if all(place is None for place in places):
        places = [*range(len(rows))]
    for place in places[:count]:
        if type(place) is not int or not 0 <= place < count:
            raise BadAnswer("returned a vector that belongs to none of the texts")
        if place in taken:
            raise BadAnswer(f"returned two vectors for text {place + 1} of a request")
        taken.add(place)
    has_gap = 0 in taken and max(taken) >= len(taken)
    if len(rows) > count or (len(rows) < count and not has_gap):
        raise BadAnswer(f"returned {len(rows)} vectors for {count} texts")
    return [place for place in places if place is not None]


def _vector(embedding: object) -> NDArray[np.float32]:
    import numpy as np

    if isinstance(embedding, str):
        try:
            vector = np.frombuffer(base64.b64decode(embedding, validate=True), dtype="<f4")
        except (binascii.Error, ValueError) as exc:
            raise BadAnswer("returned a vector that is not base64 of float32 numbers") from exc
    elif isinstance(embedding, list) and set(map(type, embedding)) <= {int, float}:
        try:
            with np.errstate(over="ignore"):  # a number beyond float32 becomes infinite, which is reported
                vector = np.asarray(embedding, dtype=np.float64).astype(np.float32)
        except OverflowError as exc:  # an integer beyond float64
            raise BadAnswer(_NOT_FINITE) from exc
    else:
        raise BadAnswer("returned a vector that is not a list of numbers")
    if not len(vector):
        raise BadAnswer("returned a vector without numbers")
    if not np.isfinite(vector).all():
        raise BadAnswer(_NOT_FINITE)
    return vector

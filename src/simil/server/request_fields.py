"""The fields of requests' JSON: each is what it should be, or an `ApiError` names it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from simil.embedders.base import Kind
from simil.frozen import Frozen
from simil.server.api_errors import ApiError

if TYPE_CHECKING:
    from simil.server.served_names import ServedNames

__all__ = ["RerankRequest", "SimilarityRequest", "WantedEmbeddings"]

Fields = Mapping[str, Any]

# Of a matrix: some ten megabytes of JSON.
_MOST_SCORES = 1_000_000

_KINDS = {
    "query": Kind.QUERY,
    "search_query": Kind.QUERY,
    "document": Kind.DOCUMENT,
    "passage": Kind.DOCUMENT,
    "search_document": Kind.DOCUMENT,
    "symmetric": Kind.SYMMETRIC,
}


class WantedEmbeddings(Frozen):
    """A request for the vectors of texts; `dimensions` is how many of each are wanted, None for all."""

    texts: Sequence[str]
    dimensions: int | None
    kind: Kind
    as_base64: bool

    @classmethod
    def read(cls, body: bytes | bytearray, names: ServedNames, most_texts: int) -> WantedEmbeddings:
        """Read the body of a request; raises `ApiError` for one that cannot be answered."""
        fields = fields_of(body)
        names.check(fields.get("model"))
        return cls(
            texts_of(fields, "input", most_texts, may_be_one=True),
            _whole_number(fields, "dimensions"),
            _choice(fields, "input_type", _KINDS, "symmetric"),
            _choice(fields, "encoding_format", {"float": False, "base64": True}, "float"),
        )


class SimilarityRequest(Frozen):
    """A request for scores: of each text on the left with its pair on the right, or with every one there."""

    left: Sequence[str]
    right: Sequence[str]
    by_pair: bool

    @classmethod
    def read(cls, body: bytes | bytearray, names: ServedNames, most_texts: int) -> SimilarityRequest:
        """Read the body of a request; raises `ApiError` for one that cannot be answered."""
        fields = fields_of(body)
        names.check(fields.get("model"))
        pairs = fields.get("pairs")
        if pairs is None:
            left = texts_of(fields, "left", most_texts, may_be_one=True)
            right = texts_of(fields, "right", most_texts, may_be_one=True)
            if len(left) * len(right) > _MOST_SCORES:
                raise ApiError(422, f"{len(left) * len(right):,} scores are more than {_MOST_SCORES:,}")
            return cls(left, right, by_pair=False)
        if not isinstance(pairs, list) or not all(
            isinstance(pair, list) and len(pair) == 2 for pair in pairs
        ):
            raise ApiError(400, "pairs must be a list of pairs of texts", param="pairs")
        left, right = (
            texts_of({"pairs": [pair[side] for pair in pairs]}, "pairs", most_texts) for side in (0, 1)
        )
        return cls(left, right, by_pair=True)


class RerankRequest(Frozen):
    """A request to order texts by a query, in the form of Cohere or of text-embeddings-inference."""

    query: str
    texts: Sequence[str]
    top_n: int | None
    return_texts: bool
    is_cohere: bool

    @classmethod
    def read(cls, body: bytes | bytearray, names: ServedNames, most_texts: int) -> RerankRequest:
        """Read the body of a request; raises `ApiError` for one that cannot be answered."""
        fields = fields_of(body)
        names.check(fields.get("model"))
        query = fields.get("query")
        if not isinstance(query, str) or not query.strip():
            raise ApiError(400, "query must be a text that is not blank", param="query")
        is_cohere = "texts" not in fields
        if not is_cohere and "documents" in fields:
            raise ApiError(400, "there are documents and texts: send one of them", param="texts")
        return cls(
            query,
            texts_of(_plain_documents(fields), "documents" if is_cohere else "texts", most_texts),
            _whole_number(fields, "top_n"),
            fields.get("return_documents" if is_cohere else "return_text") is True,
            is_cohere,
        )


def _plain_documents(fields: Fields) -> Fields:
    """Return the fields with Cohere's documents, which may be objects, as texts."""
    given = fields.get("documents")
    if not isinstance(given, list):
        return fields
    return {**fields, "documents": [one.get("text") if isinstance(one, dict) else one for one in given]}


def fields_of(body: bytes | bytearray) -> Fields:
    """Return the fields of a request."""
    import orjson

    try:
        fields = orjson.loads(body)
    except ValueError as exc:
        raise ApiError(400, f"the body is not JSON: {exc}") from exc
    if not isinstance(fields, dict):
        raise ApiError(400, "the body is not a JSON object")
    return fields


def texts_of(fields: Fields, name: str, most: int, *, may_be_one: bool = False) -> list[str]:
    """Return the texts in the field called `name`, of which there may be `most`.

    `may_be_one` says that one text need not be in a list.
    """
    given = fields.get(name)
    if given is None:
        raise ApiError(400, f"the field {name} is missing", param=name)
    if isinstance(given, str) and may_be_one:
        given = [given]
    if not isinstance(given, list) or not given:
        raise ApiError(400, f"{name} must be a list of at least one text", param=name)
    if len(given) > most:
        raise ApiError(422, f"{name} has {len(given):,} texts, {most:,} are allowed in a request", param=name)
    for place, text in enumerate(given):
        _check_text(text, name, place)
    return given


def _check_text(text: object, name: str, place: int) -> None:
    if not isinstance(text, str):
        raise ApiError(400, f"{name}[{place}] is not a text; {_advice(text)}", param=name)
    if not text or text.isspace():
        raise ApiError(400, f"{name}[{place}] is blank, so there is nothing to embed", param=name)


def _advice(given: object) -> str:
    if isinstance(given, int) or (isinstance(given, list) and given and isinstance(given[0], int)):
        return (
            "token ids are those of OpenAI's tokenizer, which this model does not have: send texts "
            "(in LangChain: OpenAIEmbeddings(check_embedding_ctx_length=False))"
        )
    return "send a text or a list of texts"


def _whole_number(fields: Fields, name: str) -> int | None:
    given = fields.get(name)
    if given is not None and (type(given) is not int or given < 1):
        raise ApiError(400, f"{name} must be a whole number of at least 1", param=name)
    return given


def _choice(fields: Fields, name: str, choices: Mapping[str, Any], default: str) -> Any:
    given = fields.get(name)
    if given is None:
        given = default
    if not isinstance(given, str) or given not in choices:
        raise ApiError(400, f"{name} must be one of {', '.join(choices)}", param=name)
    return choices[given]

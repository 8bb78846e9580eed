"""The shapes in which JSON holds embeddings: the answers of APIs, and the records of databases.

| shape | from |
| --- | --- |
| `{"data": [{"embedding"}]}` | OpenAI, Voyage, Jina, Mistral; simil itself |
| `{"custom_id", "response": {"body"}}`, `{"key", "response"}` a line | batches of OpenAI, Gemini |
| `{"embeddings": [[…]]}`, `{"embeddings": {"float": [[…]]}}` | Ollama, Cohere, Chroma |
| `{"embedding": {"values"}}`, `{"embeddings": [{"values"}]}`, `{"predictions": […]}` | Gemini, Vertex AI |
| `[[…], […]]`, `[…]`, `[{"embedding": [[…]]}]` | TEI, Hugging Face, llama.cpp |
| `[{"id", "embedding"}]`, `{"points": [{"vector"}]}`, `{"vectors": [{"values"}]}` | pandas, Qdrant, … |
| `{"embedding": {"0": […], …}}`, `{"columns", "data"}` | pandas, by column or split |
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

from simil.formats.json_values import outline_of
from simil.vectors.embedded_items import (
    EMBEDDING_KEYS,
    EmbeddedItem,
    FailedRequest,
    NoEmbedding,
    items_of_records,
    key_of,
)
from simil.vectors.embedding_values import ShapeError, is_embedding

__all__ = ["has_vectors", "is_list_of_items", "items_in"]

_KEYS = frozenset(EMBEDDING_KEYS)
_LISTS = ("data", "predictions", "points", "vectors", "matches", "results")
_OF_ITEM = _KEYS | {"object", "index"}
_TEXTS = ("texts", "documents")


Found = EmbeddedItem | FailedRequest


def has_vectors(value: object) -> bool | None:
    """Return whether a JSON value holds vectors; None if it has a place for them, but only null there."""
    if _is_answer(value):
        return True
    items = items_in(value)
    if items is None:
        return False
    try:
        for item in items:
            found = True if isinstance(item, FailedRequest) else _holds_one(item)
            if found is not None:
                return found
    except NoEmbedding:
        return False
    except ShapeError:
        return True
    return None


def _holds_one(item: EmbeddedItem) -> bool | None:
    # In an item of OpenAI's answer a string is base64, however short.
    is_theirs = item.record.get("object") == "embedding" and isinstance(item.embedding, str)
    return is_theirs or is_embedding(item.embedding)


def _is_answer(value: object) -> bool:
    """Return whether a value is OpenAI's answer, which may hold no vector at all."""
    match value:
        case {"object": "list", "data": [] | [{"object": "embedding"}, *_]}:
            return True
    return False


def is_list_of_items(value: object) -> bool:
    """Return whether a value is a list, or has one under "data", each item of which is one embedding."""
    if isinstance(value, dict):
        records = value.get("data") if _KEYS.isdisjoint(value) and "result" not in value else None
        return isinstance(records, list) and all(isinstance(record, dict) for record in records)
    if not isinstance(value, list):
        return False
    return all(isinstance(item, list) or (isinstance(item, dict) and _is_record(item)) for item in value)


def items_in(value: object) -> Iterator[Found] | None:
    """Return the embeddings in a JSON value, in order; None if it has no place for any.

    The iterator raises `ShapeError` at what is wrong.
    """
    if isinstance(value, list):
        return _in_list(value)
    if not isinstance(value, dict):
        return None
    for shape in (_in_envelope, _in_columns, _in_frame, _in_record, _in_records):
        items = shape(value)
        if items is not None:
            return items
    return None


def _is_record(value: dict[str, object]) -> bool:
    others = (_in_envelope, _in_columns, _in_frame)
    return key_of(value) is not None and all(shape(value) is None for shape in others)


def _in_record(record: dict[str, object]) -> Iterator[Found] | None:
    return None if key_of(record) is None else items_of_records([record])


def _in_list(values: list[object]) -> Iterator[Found] | None:
    match values:
        case [[{"index": int(), "value": int() | float()}, *_], *_]:
            return _refused("is a sparse embedding, which is not read", "ask the server for dense ones")
        case [dict(), *_]:
            return _each(values)
        case [list(), *_]:
            return (EmbeddedItem(row, {}) for row in values)
        case [int() | float(), *_] if float in map(type, values):
            return iter([EmbeddedItem(values, {})])
    return None


def _each(values: Sequence[object]) -> Iterator[Found]:
    """Yield the embeddings of records, or of whole answers."""
    for value in values:
        items = items_in(value) if isinstance(value, dict) else None
        if items is None:
            raise NoEmbedding(value)
        yield from items


def _in_records(holder: dict[str, object]) -> Iterator[Found] | None:
    """Return the embeddings of the records under one of the keys for lists of them."""
    result = holder.get("result")
    if isinstance(result, list | dict):  # Qdrant
        return _records(holder, result) if isinstance(result, list) else _in_records(result)
    for key in _LISTS:
        records = holder.get(key)
        if isinstance(records, dict) and key == "vectors":  # Pinecone, by id
            records = [*records.values()]
        if isinstance(records, list):
            return _records(holder, records)
    return None


def _records(holder: Mapping[str, object], records: Sequence[object]) -> Iterator[Found]:
    indexed = holder.get("object") == "list" or ("schema" not in holder and _are_positions(records))
    for item in items_of_records(records, holder.get("model"), indexed=indexed):
        match holder:
            case {"instance": {"content": str(text)}}:  # a line of a batch of Vertex AI
                yield replace(item, record={"text": text, **item.record})
            case _:
                yield item


def _are_positions(records: Sequence[object]) -> bool:
    """Return whether "index" numbers the records of an answer, which hold little else, from 0."""
    items = (record for record in records if isinstance(record, dict) and record.keys() <= _OF_ITEM)
    given = [item.get("index") for item in items]
    numbers = [index for index in given if type(index) is int]
    return len(numbers) == len(records) and sorted(numbers) == list(range(len(records)))


def _in_columns(holder: dict[str, object]) -> Iterator[Found] | None:
    """Return the embeddings under "embeddings", with ids and texts that are listed beside them."""
    rows = holder.get("embeddings")
    if holder.get("object") == "embedding":  # Jina's, with one vector for each token
        return None
    if isinstance(rows, dict) and "values" not in rows:
        by_type = rows
        rows = by_type.get("float") or by_type.get("base64")
        if rows is None and any(isinstance(part, list) for part in by_type.values()):
            types = ", ".join(name for name, part in by_type.items() if part)
            return _refused(f"has embeddings only as {types}", "ask the API for float embeddings")
    if not isinstance(rows, list) or not (rows == [] or isinstance(rows[0], list | dict | str)):
        return None
    return _columns(holder, rows)


def _columns(holder: Mapping[str, object], rows: list[object]) -> Iterator[Found]:
    beside = {"id": _column(holder, "ids", rows), "metadata": _column(holder, "metadatas", rows)}
    beside["text"] = next(filter(None, (_column(holder, key, rows) for key in _TEXTS)), None)
    columns = {name: column for name, column in beside.items() if column is not None}
    for place, row in enumerate(rows):
        record = {name: column[place] for name, column in columns.items()}
        yield EmbeddedItem(row, record, model=holder.get("model"))


def _column(holder: Mapping[str, object], key: str, rows: list[object]) -> list[object] | None:
    values = holder.get(key)
    if not isinstance(values, list) or not values:
        return None
    if len(values) != len(rows):
        raise ShapeError(f"has {len(rows)} embeddings and {len(values)} {key}", "give one for each")
    return values


def _in_frame(holder: dict[str, Any]) -> Iterator[Found] | None:
    """Return the embeddings in a data frame of pandas, written by column or with its columns apart."""
    match holder:
        case {"columns": list(names), "data": [list(), *_] as rows} if not _KEYS.isdisjoint(map(str, names)):
            return items_of_records(dict(zip(names, row, strict=False)) for row in rows)
    columns = [*holder.values()]
    if len(columns) < 2 or _KEYS.isdisjoint(holder) or not all(isinstance(each, dict) for each in columns):
        return None
    labels = [*columns[0]]
    if any([*column] != labels for column in columns):
        return None
    return items_of_records({name: column[label] for name, column in holder.items()} for label in labels)


def _in_envelope(line: dict[str, object]) -> Iterator[Found] | None:
    """Return the embeddings of a line in the output of a batch, with the id of the request."""
    name = line.get("custom_id", line.get("key"))
    response, error = line.get("response"), line.get("error")
    if not isinstance(name, str) or not isinstance(response or error, dict) or "text" in line:
        return None
    answer = response if isinstance(response, dict) else {}
    body = answer.get("body", answer)
    code = answer.get("status_code")
    if error or (isinstance(code, int) and code >= 400) or (isinstance(body, dict) and "error" in body):
        return iter([FailedRequest(name, _reason(error or body, code))])
    items = items_in(body)
    if items is not None:
        return _named(name, items)
    if "custom_id" not in line or "body" not in answer:
        return None
    return _refused(f"is the answer to request {name!r}, which has no vectors: it is {outline_of(body)}")


def _named(name: str, items: Iterator[Found]) -> Iterator[Found]:
    """Yield the items of one request under its id, with a number if there are several."""
    first = next(items, None)
    second = next(items, None)
    for place, item in enumerate(chain([first, second], items)):
        if isinstance(item, EmbeddedItem):
            number = place if item.index is None else item.index
            id_ = name if second is None else f"{name}:{number}"
            yield replace(item, record={**item.record, "id": id_})


def _reason(error: object, code: object) -> str:
    """Return why a request failed, by what stands where errors do."""
    while isinstance(error, dict):
        error = next((error[key] for key in ("error", "message", "code") if error.get(key)), None)
    return str(error or f"status {code}")


def _refused(message: str, hint: str = "") -> Iterator[Found]:
    raise ShapeError(message, hint)
    yield

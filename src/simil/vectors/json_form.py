"""JSON and JSON Lines: what OpenAI's API returns, one item per line, and anything of the same shape."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, BinaryIO

from simil.errors import InputError, Place
from simil.formats.encoding import Utf8Chunks, document
from simil.formats.json_values import json_of, parsed
from simil.formats.lines import lines
from simil.vectors.collect import Collector, VectorFile
from simil.vectors.vector_batch import VectorBatch
from simil.vectors.writer import ItemList, VectorWriter, is_missing

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["JsonLinesWriter", "JsonWriter", "read_json", "read_jsonl"]

_HEAD = b'{"object":"list","data":[\n'
_EXPECTED = 'expected {"data": [{"embedding": [...]}, ...]} or [[...], ...]'


class _NotByLine(Exception):
    """A document that begins as one of `JsonWriter`, but has another layout."""


class JsonWriter(VectorWriter):
    """Writes what OpenAI's embeddings endpoint returns, with ids and texts; embeddings may be base64."""

    _has_null = True

    def __init__(self, stream: BinaryIO, model: str, *, as_base64: bool) -> None:
        super().__init__(stream, model)
        self._list = ItemList(stream, _HEAD)
        self._as_base64 = as_base64

    def _append(self, batch: VectorBatch) -> None:
        self._list.extend(
            [
                json_of(
                    {
                        "object": "embedding",
                        "index": self.count + place,
                        "id": batch.ids[place],
                        "text": batch.texts[place],
                        **({"fields": more} if (more := batch.fields[place]) else {}),
                        "embedding": self._embedding(row),
                    }
                )
                for place, row in enumerate(batch.vectors)
            ]
        )

    def _embedding(self, row: NDArray[np.float32]) -> object:
        if is_missing(row):
            return None
        return _to_base64(row) if self._as_base64 else row

    def _end(self) -> None:
        self._list.end({"model": self._model, "dimensions": self.dimensions})


class JsonLinesWriter(VectorWriter):
    """Writes one object per line: id, text, fields if there are any, embedding, model."""

    _has_null = True

    def _append(self, batch: VectorBatch) -> None:
        lines = [
            json_of(
                {
                    "id": batch.ids[place],
                    "text": batch.texts[place],
                    **({"fields": more} if (more := batch.fields[place]) else {}),
                    "embedding": None if is_missing(row) else row,
                    "model": self._model,
                }
            )
            for place, row in enumerate(batch.vectors)
        ]
        self._stream.write(b"\n".join(lines) + b"\n")

    def _end(self) -> None:
        """Nothing follows the last line."""


def read_json(source: str, content: bytes, encoding: str | None = None) -> VectorFile:
    """Read one JSON document: a list object as OpenAI returns it, a list of its items, or of vectors."""
    import orjson

    data = document(content, encoding)
    if data.startswith(_HEAD):
        try:
            return _read_by_line(source, data)
        except (orjson.JSONDecodeError, _NotByLine):
            pass  # Not an item per line, or damaged; reading it as a whole shows which.
    return _read_whole(source, data)


def read_jsonl(source: str, chunks: Iterator[bytes], encoding: str | None = None) -> VectorFile:
    """Read an object with an embedding from each line that is not blank."""
    collector = Collector(source)
    decoded = Utf8Chunks(chunks, encoding)
    for number, line in enumerate(lines(decoded), 1):
        if line.strip():
            item = parsed(line, Place(source, number), encoding=decoded.encoding)
            _add(collector, item, None, number)
    return collector.finish()


def _read_by_line(source: str, data: bytes) -> VectorFile:
    """Read what `JsonWriter` wrote, parsing one item at a time.

    Raises `_NotByLine` or `JSONDecodeError` if it is something else.
    """
    import orjson

    end = data.rfind(b"\n]")
    rest = orjson.loads(b'{"data":[' + data[end + 1 :])
    model = _model_of(source, rest, None)
    collector = Collector(source)
    for number, line in enumerate(_items(data, len(_HEAD), end), 2):
        if b"\n" in line:
            raise _NotByLine
        _add(collector, orjson.loads(line), model, number, indexed=True)
    return collector.finish(model, rest.get("dimensions"))


def _items(data: bytes, start: int, end: int) -> Iterator[bytes]:
    while (stop := data.find(b",\n", start, end)) >= 0:
        yield data[start:stop]
        start = stop + 2
    if start < end:
        yield data[start:end]


def _read_whole(source: str, data: bytes) -> VectorFile:
    whole = parsed(data, Place(source, 1))
    model = dimensions = None
    items = whole
    if isinstance(whole, dict):
        items = whole.get("data")
        model = _model_of(source, whole, None)
        dimensions = whole.get("dimensions")
    # Elsewhere "index" may be anything, such as the label of a row.
    indexed = isinstance(whole, dict) and whole.get("object") == "list"
    if not isinstance(items, list):
        raise InputError("holds no vectors", hint=_EXPECTED, place=Place(source))
    collector = Collector(source)
    for item in items:
        if isinstance(item, list) and items is whole:
            collector.add(item, {}, model=None)
        else:
            _add(collector, item, model, None, indexed=indexed)
    return collector.finish(model, dimensions)


def _add(
    collector: Collector, item: object, model: str | None, line: int | None, *, indexed: bool = False
) -> None:
    """Add an item of a file; where items are `indexed`, as in OpenAI's answer, "index" is their position."""
    if not isinstance(item, dict):
        raise collector.fault("is not an object with an embedding", line)
    if "embedding" not in item:
        raise collector.fault('has no "embedding"', line)
    embedding = item["embedding"]
    index = item.pop("index", None) if indexed else None
    if embedding is None:
        collector.leave_out(index)
        return
    if isinstance(embedding, str):
        embedding = _from_base64(embedding, collector, line)
    collector.add(
        embedding,
        item,
        model=_model_of(collector.source, item, line) or model,
        line=line,
        index=index,
    )


def _model_of(source: str, holder: Mapping[str, object], line: int | None) -> str | None:
    model = holder.get("model")
    if model is not None and not isinstance(model, str):
        raise InputError('"model" is not a string', place=Place(source, line))
    return model or None


def _to_base64(row: NDArray[np.float32]) -> str:
    return base64.b64encode(row.astype("<f4", copy=False).tobytes()).decode("ascii")


def _from_base64(text: str, collector: Collector, line: int | None) -> list[float]:
    import numpy as np

    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as exc:
        raise collector.fault(f"has an embedding that is not base64: {exc}", line) from exc
    if len(data) % 4:
        raise collector.fault(
            f"has an embedding that is cut short: {len(data)} bytes are no whole number of float32", line
        )
    numbers: list[float] = np.frombuffer(data, dtype="<f4").tolist()
    return numbers

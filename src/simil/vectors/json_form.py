"""JSON and JSON Lines: what OpenAI's API returns, one item per line, and anything of the same shape."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, BinaryIO

from simil.errors import InputError, Place
from simil.formats.encoding import Utf8Chunks, document
from simil.formats.json_spans import list_frame, member_spans
from simil.formats.json_values import exact, json_of, outline_of, parsed
from simil.formats.lines import lines, without_end
from simil.formats.passthrough import Frame, Layout
from simil.formats.record_stream import FormatOptions
from simil.formats.text_limit import DOCUMENT
from simil.vectors.collect import Collector, VectorFile
from simil.vectors.embedded_items import EMBEDDING_KEYS, NoEmbedding, items_of_records
from simil.vectors.json_shapes import is_list_of_items, items_in
from simil.vectors.vector_batch import VectorBatch
from simil.vectors.writer import ItemList, StreamWriter, is_missing

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["LIST_HEAD", "JsonLinesWriter", "JsonWriter", "read_json", "read_jsonl"]

_DEFAULTS = FormatOptions()
LIST_HEAD = b'{"object":"list","data":[\n'
_EXPECTED = 'expected {"data": [{"embedding": [...]}, ...]}, [[...], ...] or the answer of another API'


class _NotByLine(Exception):
    """A document that begins as one of `JsonWriter`, but has another layout."""


class JsonWriter(StreamWriter):
    """Writes what OpenAI's embeddings endpoint returns, with ids and texts; embeddings may be base64."""

    _has_null = True

    def __init__(self, stream: BinaryIO, model: str | None, *, as_base64: bool) -> None:
        super().__init__(stream, model)
        self._list = ItemList(stream, LIST_HEAD)
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


class JsonLinesWriter(StreamWriter):
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


def read_json(source: str, content: bytes, options: FormatOptions = _DEFAULTS) -> VectorFile:
    """Read one JSON document, in any of the shapes of `json_shapes`."""
    import orjson

    data = document(content, options.encoding)
    if data.startswith(LIST_HEAD):
        try:
            return _read_by_line(Collector(source, keeps_raw=options.keeps_raw), data)
        except (orjson.JSONDecodeError, _NotByLine):
            pass  # Not an item per line, or damaged; reading it as a whole shows which.
    return _read_whole(Collector(source, keeps_raw=options.keeps_raw), data)


def read_jsonl(source: str, chunks: Iterator[bytes], options: FormatOptions = _DEFAULTS) -> VectorFile:
    """Read each line that is not blank, a record with an embedding or an answer of an API."""
    collector = Collector(source, keeps_raw=options.keeps_raw)
    collector.frame = Frame()
    decoded = Utf8Chunks(chunks, options.encoding)
    for number, raw in enumerate(lines(decoded, source, limit=DOCUMENT * options.text_limit), 1):
        if (line := without_end(raw)).strip():
            value = parsed(line, Place(source, number), encoding=decoded.encoding)
            _add(collector, exact(value, line, beside=EMBEDDING_KEYS), number, raw)
    return collector.finish()


def _read_by_line(collector: Collector, data: bytes) -> VectorFile:
    """Read what `JsonWriter` wrote, parsing one item at a time.

    Raises `_NotByLine` or `JSONDecodeError` if it is something else.
    """
    import orjson

    end = data.rfind(b"\n]")
    rest = orjson.loads(b'{"data":[' + data[end + 1 :])
    model = _model_of(collector.source, rest)
    collector.frame = Frame(Layout.LIST, LIST_HEAD, data[end:], (LIST_HEAD, data[end:]))
    for number, line in enumerate(_items(data, len(LIST_HEAD), end), 2):
        if b"\n" in line:
            raise _NotByLine
        record = exact(orjson.loads(line), line, beside=EMBEDDING_KEYS)
        raw = line if number == 2 else b",\n" + line
        collector.add_all(items_of_records([record], model, indexed=True), number, raws=[raw])
    return collector.finish(model, rest.get("dimensions"))


def _items(data: bytes, start: int, end: int) -> Iterator[bytes]:
    while (stop := data.find(b",\n", start, end)) >= 0:
        yield data[start:stop]
        start = stop + 2
    if start < end:
        yield data[start:end]


def _read_whole(collector: Collector, data: bytes) -> VectorFile:
    source = collector.source
    whole = exact(parsed(data, Place(source, 1)), data, beside=EMBEDDING_KEYS)
    items = items_in(whole)
    if items is None:
        raise InputError(f"holds no vectors: it is {outline_of(whole)}", hint=_EXPECTED, place=Place(source))
    facts = whole if isinstance(whole, dict) else {}
    raws = _split(collector, whole, data) if collector.keeps_raw else []
    collector.add_all(items, raws=raws)
    return collector.finish(_model_of(source, facts), facts.get("dimensions"))


def _split(collector: Collector, whole: object, data: bytes) -> list[bytes]:
    """Return the bytes of each record of a document, and note what stands around them.

    There are none where a record does not hold one vector, or its parts stand in several lists.
    """
    if not is_list_of_items(whole):
        return []
    records = whole["data"] if isinstance(whole, dict) else whole
    collector.frame, raws = list_frame(data, 0 if records is whole else member_spans(data)["data"][0])
    return raws


def _add(collector: Collector, value: object, line: int, raw: bytes) -> None:
    items = items_in(value)
    if items is None:
        no_embedding = NoEmbedding(value)
        raise collector.fault(str(no_embedding), line, hint=no_embedding.hint)
    collector.add_all(items, line, start=collector.count, raws=[raw])


def _model_of(source: str, facts: Mapping[str, object]) -> str | None:
    model = facts.get("model")
    if model is not None and not isinstance(model, str):
        raise InputError('"model" is not a string', place=Place(source))
    return model or None


def _to_base64(row: NDArray[np.float32]) -> str:
    return base64.b64encode(row.astype("<f4", copy=False).tobytes()).decode("ascii")

"""Vectors in `.safetensors`: the length of a header, the header in JSON, and the numbers of each tensor."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, BinaryIO

from simil.errors import InputError, Place
from simil.formats.npy import numbers_of_file
from simil.vectors.array_rows import ArrayKind, table_named, vectors_of_array
from simil.vectors.collect import VectorFile

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["read_safetensors"]

log = logging.getLogger("simil")

_METADATA = "__metadata__"
_LENGTH = 8
_LARGEST_HEADER = 100_000_000  # the library's own limit
_FLOATS = {"F32": "<f4", "F16": "<f2", "F64": "<f8", "BF16": "<u2"}


def read_safetensors(source: str, stream: BinaryIO) -> VectorFile:
    """Read the tensor "embeddings" or "vectors", or the only table of floats; "model" is in the metadata.

    Other tensors are left out, and named in the log. Raises InputError for a file without such a table.
    """
    header = _header(source, stream)
    metadata = header.pop(_METADATA, None) or {}
    try:
        tables = {
            name: ArrayKind(tuple(tensor["shape"]), tensor["dtype"], is_float=tensor["dtype"] in _FLOATS)
            for name, tensor in header.items()
        }
        chosen = table_named(source, tables)
        begin, end = header[chosen]["data_offsets"]
        raw = _numbers(source, stream, tables[chosen], begin, end)
    except (KeyError, TypeError, ValueError) as exc:
        raise _unsound(source, f"its header says {exc!r}") from exc
    for name in tables.keys() - {chosen}:
        log.warning("%s: the tensor %r is left out: it is %s", source, name, tables[name])
    model = metadata.get("model") if isinstance(metadata, dict) else None
    return vectors_of_array(source, raw, model=model if isinstance(model, str) and model else None)


def _header(source: str, stream: BinaryIO) -> dict[str, Any]:
    import orjson

    size = int.from_bytes(stream.read(_LENGTH), "little")
    if size > _LARGEST_HEADER:
        raise _unsound(source, f"its header would have {size} bytes")
    try:
        header = orjson.loads(stream.read(size))
    except orjson.JSONDecodeError as exc:
        raise _unsound(source, f"its header is not JSON: {exc}") from exc
    if not isinstance(header, dict):
        raise _unsound(source, "its header is not an object")
    return header


def _numbers(source: str, stream: BinaryIO, table: ArrayKind, begin: int, end: int) -> NDArray[Any]:
    import numpy as np

    dtype = np.dtype(_FLOATS[table.type])
    if end - begin != table.shape[0] * table.shape[1] * dtype.itemsize:
        raise ValueError((begin, end))
    if not table.shape[0]:
        return np.empty(table.shape, np.float32)
    stream.seek(stream.tell() + begin)
    raw = numbers_of_file(stream, dtype, table.shape, Place(source)).reshape(table.shape)
    if table.type != "BF16":
        return raw
    return (raw.astype(np.uint32) << 16).view(np.float32)  # bfloat16 is the upper half of float32.


def _unsound(source: str, why: str) -> InputError:
    hint = "write it again, or as npy or jsonl"
    return InputError(f"is not a sound .safetensors file: {why}", hint=hint, place=Place(source))

"""Vectors in NumPy's `.npy`, float32, with a JSON file beside it for ids, texts and the model."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO

from simil.errors import InputError, Place
from simil.formats.json_values import json_of, parsed
from simil.formats.npy import npy_header, read_npy_table
from simil.vectors.array_rows import vectors_of_array
from simil.vectors.collect import VectorFile
from simil.vectors.vector_batch import VectorBatch
from simil.vectors.writer import ItemList, StreamWriter

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["NpyWriter", "read_npy"]


class NpyWriter(StreamWriter):
    """Writes rows as they come, and at the end replaces the header, which holds their number.

    Numbers are float32, or of the type of the first batch.
    If the stream cannot seek, rows wait in a temporary file. `sidecar` gets ids, texts and model.
    """

    def __init__(self, stream: BinaryIO, model: str | None, sidecar: BinaryIO | None) -> None:
        super().__init__(stream, model)
        self._list = ItemList(sidecar, b'{"data":[\n') if sidecar else None
        self._waiting: IO[bytes] | None = None
        self._start: int | None = None
        self._dtype: np.dtype[Any] | None = None

    def _type_of(self, vectors: NDArray[Any]) -> np.dtype[Any]:
        if self._dtype is None:
            self._dtype = vectors.dtype
        return self._dtype

    def _append(self, batch: VectorBatch) -> None:
        if self._list:
            self._list.extend(
                [
                    json_of({"id": name, "text": text, **({"fields": more} if more else {})})
                    for name, text, more in zip(batch.ids, batch.texts, batch.fields, strict=True)
                ]
            )
        if self._start is None and self._waiting is None:
            self._begin()
        (self._waiting or self._stream).write(batch.vectors.data)

    def _begin(self) -> None:
        if _can_go_back(self._stream):
            self._start = self._stream.tell()
            self._stream.write(npy_header(0, 0, self._dtype))
        else:
            self._waiting = tempfile.TemporaryFile()  # noqa: SIM115 - `close` or `discard` closes it

    def _end(self) -> None:
        header = npy_header(self.count, self.dimensions or 0, self._dtype)
        if self._waiting is not None:
            with self._waiting as rows:
                self._stream.write(header)
                rows.seek(0)
                shutil.copyfileobj(rows, self._stream, 1 << 20)
        elif self._start is not None:
            end = self._stream.tell()
            self._stream.seek(self._start)
            self._stream.write(header)
            self._stream.seek(end)
        else:
            self._stream.write(header)
        if self._list:
            self._list.end({"model": self._model, "dimensions": self.dimensions, "count": self.count})

    def discard(self) -> None:
        super().discard()
        if self._waiting is not None:
            self._waiting.close()


def read_npy(source: str, stream: BinaryIO, sidecar: Path | None = None) -> VectorFile:
    """Read an array of numbers [n, d] and, if it exists, the file beside it.

    A file of little-endian float32 rows is mapped; anything else is converted to float32 in memory.
    """
    table = read_npy_table(source, stream)
    if sidecar is None or not sidecar.is_file():
        return vectors_of_array(source, table)
    items, model = _read_sidecar(source, table, sidecar)
    return vectors_of_array(source, table, items, model, beside=str(sidecar))


def _can_go_back(stream: BinaryIO) -> bool:
    """Return whether the stream can be overwritten; a file opened for appending only seems to be."""
    if not stream.seekable():
        return False
    if sys.platform == "win32":  # It opens nothing for appending by itself.
        return True
    import fcntl

    try:
        return not fcntl.fcntl(stream.fileno(), fcntl.F_GETFL) & os.O_APPEND
    except OSError:  # in memory
        return True


def _read_sidecar(
    source: str, table: NDArray[Any], path: Path
) -> tuple[Sequence[Mapping[str, object]], str | None]:
    """Return what belongs to each row, and the model; raises InputError if the file is for another array."""
    beside = str(path)
    place = Place(beside)
    try:
        content = path.read_bytes()
    except OSError as exc:
        raise InputError(f"cannot be read: {exc.strerror or exc}", place=place) from exc
    document = parsed(content, Place(beside, 1))
    items = document.get("data") if isinstance(document, dict) else None
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise InputError(
            f"does not list the vectors of {source}", hint="remove it or embed again", place=place
        )
    model = document.get("model")
    if model is not None and not isinstance(model, str):
        raise InputError('"model" is not a string', place=place)
    count, dimensions = table.shape
    for what, said, found in (
        ("count", document.get("count"), count),
        ("dimensions", document.get("dimensions") if count else None, dimensions),
        ("length of data", len(items), count),
    ):
        if said is not None and said != found:
            raise InputError(
                f"the {what} is {said}, but {source} holds {count} vectors of {dimensions} dimensions",
                hint="the two files do not belong together; embed again",
                place=place,
            )
    return items, model or None

"""Vectors in NumPy's `.npy`, float32, with a JSON file beside it for ids, texts and the model."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from simil.errors import InputError, Place
from simil.formats.json_values import json_of, parsed
from simil.formats.npy import npy_header, read_npy_table
from simil.vectors.collect import VectorFile, describe_all, report_left_out
from simil.vectors.vector_batch import VectorBatch
from simil.vectors.writer import ItemList, VectorWriter

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["NpyWriter", "as_float32", "read_npy", "without_missing"]

_CHECK_ROWS = 4096


class NpyWriter(VectorWriter):
    """Writes rows as they come, and at the end replaces the header, which holds their number.

    If the stream cannot seek, rows wait in a temporary file. `sidecar` gets ids, texts and model.
    """

    def __init__(self, stream: BinaryIO, model: str, sidecar: BinaryIO | None) -> None:
        super().__init__(stream, model)
        self._list = ItemList(sidecar, b'{"data":[\n') if sidecar else None
        self._waiting: BinaryIO | None = None
        self._start: int | None = None

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
        (self._waiting or self._stream).write(batch.vectors.astype("<f4", copy=False).data)

    def _begin(self) -> None:
        if _can_go_back(self._stream):
            self._start = self._stream.tell()
            self._stream.write(npy_header(0, 0))
        else:
            self._waiting = tempfile.TemporaryFile()  # noqa: SIM115 - `close` or `discard` closes it

    def _end(self) -> None:
        header = npy_header(self.count, self.dimensions or 0)
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
    vectors, missing = as_float32(source, read_npy_table(source, stream))
    count = len(vectors)
    if sidecar is None or not sidecar.is_file():
        ids = tuple(str(number + 1) for number in range(count))
        file = VectorFile(source, None, ids, (None,) * count, ({},) * count, vectors)
    else:
        file = _with_sidecar(source, vectors, sidecar)
    return without_missing(file, missing) if missing else file


def without_missing(file: VectorFile, missing: Sequence[int]) -> VectorFile:
    """Leave out texts without a vector."""
    report_left_out(file.source, len(missing))
    wrong = set(missing)
    kept = [row for row in range(len(file)) if row not in wrong]
    return replace(
        file,
        ids=tuple(file.ids[row] for row in kept),
        texts=tuple(file.texts[row] for row in kept),
        fields=tuple(file.fields[row] for row in kept),
        vectors=file.vectors[kept],
    )


def _can_go_back(stream: BinaryIO) -> bool:
    """Return whether the stream can be overwritten; a file opened for appending only seems to be."""
    if not stream.seekable():
        return False
    try:
        import fcntl
    except ModuleNotFoundError:  # Windows, which opens nothing for appending by itself
        return True
    try:
        return not fcntl.fcntl(stream.fileno(), fcntl.F_GETFL) & os.O_APPEND
    except OSError:  # in memory
        return True


def as_float32(source: str, raw: NDArray[Any]) -> tuple[NDArray[np.float32], list[int]]:
    """Return float32 rows in C order, `raw` itself if it is that already, and which rows are all nan.

    Raises `InputError` for a value that is not finite in any other row.
    """
    import numpy as np

    as_is = raw.dtype == np.float32 and raw.dtype.isnative and raw.flags.c_contiguous
    missing: list[int] = []
    result: NDArray[np.float32] = raw if as_is else np.empty(raw.shape, dtype=np.float32)
    for start in range(0, len(raw), _CHECK_ROWS):
        part = result[start : start + _CHECK_ROWS]
        if not as_is:
            with np.errstate(over="ignore"):
                part[...] = raw[start : start + _CHECK_ROWS]
        # A value that is not finite makes the sum of its row's squares so; a large one may, too.
        if np.isfinite(np.einsum("ij,ij->i", part, part)).all():
            continue
        none = np.isnan(part).all(axis=1)
        missing += (start + np.flatnonzero(none)).tolist()
        finite = np.isfinite(part).all(axis=1) | none
        if not finite.all():
            number = start + int(finite.argmin()) + 1
            raise InputError(f"item {number} has a value that is not a finite float32", place=Place(source))
    return result, missing


def _with_sidecar(source: str, vectors: NDArray[np.float32], path: Path) -> VectorFile:
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
    count, dimensions = vectors.shape
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
    try:
        ids, texts, fields = describe_all(items)
    except ValueError as exc:
        raise InputError(str(exc), place=place) from exc
    return VectorFile(source, model or None, ids, texts, fields, vectors)

"""What all writers of vector files share: checks, counting and closing."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import isnan
from typing import TYPE_CHECKING, Any, BinaryIO, Self

from simil.errors import InputError, ModelMismatch
from simil.formats.json_values import json_of
from simil.vectors.vector_batch import VectorBatch

if TYPE_CHECKING:
    import types

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["ItemList", "StreamWriter", "VectorWriter", "is_missing"]


class VectorWriter(ABC):
    """Writes one vector file, batch by batch.

    As a context manager it ends the file if the block succeeds, and leaves it incomplete otherwise.

    Attributes:
        count: vectors written so far.
        dimensions: their length; None before the first.
    """

    # Whether a text without a vector can be written before the length of vectors is known.
    _has_null = False

    def __init__(self, model: str | None) -> None:
        self.count = 0
        self.dimensions: int | None = None
        self._model = model
        self._ended = False

    def write(self, batch: VectorBatch) -> None:
        """Append a batch.

        A vector of nan stands for a text without one, and is written as null, or as nan in npy.
        Raises `InputError`, before anything of the batch is written, when a value is not finite, the
        dimensions are not those of earlier batches, or something cannot be expressed in this format;
        `ModelMismatch` for vectors of another model than the file's.
        """
        if not len(batch):
            return
        if batch.model not in (None, self._model):
            raise ModelMismatch(f"vectors of {batch.model} do not go into a file of {self._model}")
        batch = replace(batch, vectors=self._checked(batch))
        self._append(batch)
        self.dimensions = batch.vectors.shape[1] or None
        self.count += len(batch)

    def _checked(self, batch: VectorBatch) -> NDArray[np.float32]:
        import numpy as np

        rows = np.ascontiguousarray(batch.vectors, dtype=self._type_of(batch.vectors))
        if not rows.shape[1] and self.dimensions:
            return np.full((len(rows), self.dimensions), np.nan, np.float32)
        if not rows.shape[1] and not self._has_null:
            raise InputError("a vector without any dimension cannot be written", hint="did all texts fail?")
        if self.dimensions not in (None, rows.shape[1]):
            raise InputError(f"a vector has {rows.shape[1]} dimensions, those before have {self.dimensions}")
        finite = np.isfinite(rows).all(axis=1) | np.isnan(rows).all(axis=1)
        if not finite.all():
            raise InputError(f"the vector of {batch.ids[int(finite.argmin())]!a} is not finite")
        return rows

    def close(self) -> None:
        """End the file, which is valid even without vectors; a stream stays open."""
        if not self._ended:
            self._ended = True
            self._end()

    def discard(self) -> None:
        """Stop without ending the file, which stays incomplete."""
        self._ended = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: types.TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()

    def _type_of(self, vectors: NDArray[Any]) -> np.dtype[Any]:
        """Return the type of numbers in which vectors are written."""
        import numpy as np

        return np.dtype(np.float32)

    @abstractmethod
    def _append(self, batch: VectorBatch) -> None:
        """Write a checked batch; `count` is still that of the vectors before."""

    @abstractmethod
    def _end(self) -> None:
        """Write what follows the last vector."""


class StreamWriter(VectorWriter):
    """Writes to a stream, which the caller closes."""

    def __init__(self, stream: BinaryIO, model: str | None) -> None:
        super().__init__(model)
        self._stream = stream


def is_missing(row: NDArray[np.float32]) -> bool:
    """Return whether a checked row stands for a text without a vector, as an empty row also does."""
    return not len(row) or isnan(row[0])


class ItemList:
    """A JSON object on a stream whose first member is a list, with one item per line."""

    def __init__(self, stream: BinaryIO, head: bytes) -> None:
        self._stream = stream
        self._head = head
        self._between = head

    def extend(self, items: Sequence[bytes]) -> None:
        """Append encoded items."""
        self._stream.write(self._between + b",\n".join(items))
        self._between = b",\n"

    def end(self, rest: Mapping[str, object]) -> None:
        """Close the list and add the remaining members of the object."""
        start = self._head if self._between is self._head else b"\n"
        self._stream.write(start + b"]," + json_of(rest)[1:] + b"\n")

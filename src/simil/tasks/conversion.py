"""Vectors on their way to a file: those of files, and those of texts that were embedded."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from simil import similarity
from simil.errors import ModelMismatch, UsageError
from simil.tasks.embedding import EmbedOptions
from simil.texts import Text
from simil.vectors import VectorBatch, VectorFile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["convert", "rows_by_file", "selected", "vector_batch"]

_AT_ONCE = 1024


def vector_batch(texts: Sequence[Text], vectors: NDArray[np.float32], model: str | None) -> VectorBatch:
    """Return texts with their vectors [len(texts), dimensions], as writers of vector files take them."""
    ids = [text.id for text in texts]
    contents = [None if text.is_missing and not text.text else text.text for text in texts]
    return VectorBatch(ids, contents, [text.fields for text in texts], vectors, model)


def rows_by_file(files: Sequence[VectorFile], rows: Sequence[int]) -> list[tuple[VectorFile, Sequence[int]]]:
    """Return which of the `rows`, which count through all files and increase, each of the files has."""
    found: list[tuple[VectorFile, Sequence[int]]] = []
    start = first = 0
    for file in files:
        stop = bisect_left(rows, start + len(file), first)
        found.append((file, [row - start for row in rows[first:stop]]))
        start, first = start + len(file), stop
    return found


def selected(
    files: Sequence[VectorFile], rows: Sequence[int], *, as_stored: bool = False
) -> Iterator[VectorBatch]:
    """Yield some rows of files, numbered as in `rows_by_file`, with their vectors as they were read.

    With `as_stored`, their numbers have the type that they have in the files.
    """
    import numpy as np

    tables = [file.vectors if file.stored is None or not as_stored else file.stored for file in files]
    dtype = np.result_type(*tables) if as_stored and len({table.dtype for table in tables}) > 1 else None
    for table, (file, own) in zip(tables, rows_by_file(files, rows), strict=True):
        for start in range(0, len(own), _AT_ONCE):
            part = own[start : start + _AT_ONCE]
            vectors = table[part] if dtype is None else table[part].astype(dtype)
            yield replace(file.at(part), vectors=vectors)


def convert(files: Sequence[VectorFile], options: EmbedOptions) -> tuple[str | None, Iterator[VectorBatch]]:
    """Return the model that the files name and their vectors, shortened if `options` ask for it.

    Raises `ModelMismatch` if the files are of two models, `UsageError` for more dimensions than there are.
    """
    models = sorted({file.model or "an unknown model" for file in files})
    lengths = sorted({file.dimensions for file in files if file.dimensions})
    if len(models) > 1 or len(lengths) > 1:
        what = " and ".join(models) if len(models) > 1 else " and ".join(f"{n} dimensions" for n in lengths)
        raise ModelMismatch(f"vectors of {what} do not go into one file", hint="convert each file by itself")
    if options.dimensions and lengths and options.dimensions > lengths[0]:
        raise UsageError(f"the vectors have {lengths[0]} dimensions", hint="ask for fewer with --dimensions")
    return files[0].model, _batches(files, options)


def _batches(files: Sequence[VectorFile], options: EmbedOptions) -> Iterator[VectorBatch]:
    for file in files:
        for start in range(0, len(file), _AT_ONCE):
            batch = file.batch(start, min(start + _AT_ONCE, len(file)))
            if options.dimensions:
                vectors = batch.vectors[:, : options.dimensions]
                vectors = similarity.unit_or_zero(vectors) if options.normalize else vectors
                batch = replace(batch, vectors=vectors)
            yield batch

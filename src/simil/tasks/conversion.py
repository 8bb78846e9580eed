"""Vectors on their way to a file: those of files, and those of texts that were embedded."""

from __future__ import annotations

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

__all__ = ["convert", "vector_batch"]

_AT_ONCE = 1024


def vector_batch(texts: Sequence[Text], vectors: NDArray[np.float32], model: str | None) -> VectorBatch:
    """Return texts with their vectors [len(texts), dimensions], as writers of vector files take them."""
    ids = [text.id for text in texts]
    contents = [None if text.is_missing and not text.text else text.text for text in texts]
    return VectorBatch(ids, contents, [text.fields for text in texts], vectors, model)


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

"""Vectors from files, passed on in another form."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from simil import similarity
from simil.errors import ModelMismatch, UsageError
from simil.tasks.corpus import saved_texts
from simil.tasks.embedding import EmbeddedBatch, EmbedOptions
from simil.vectors import VectorFile

__all__ = ["convert"]

_AT_ONCE = 1024


def convert(files: Sequence[VectorFile], options: EmbedOptions) -> tuple[str | None, Iterator[EmbeddedBatch]]:
    """Return the model that the files name and their vectors, shortened where `options` ask for it.

    Raises `ModelMismatch` when the files are of two models, `UsageError` for more dimensions than there are.
    """
    models = sorted({file.model or "an unknown model" for file in files})
    lengths = sorted({file.dimensions for file in files if file.dimensions})
    if len(models) > 1 or len(lengths) > 1:
        what = " and ".join(models) if len(models) > 1 else " and ".join(f"{n} dimensions" for n in lengths)
        raise ModelMismatch(f"vectors of {what} do not go into one file", hint="convert each file by itself")
    if options.dimensions and lengths and options.dimensions > lengths[0]:
        raise UsageError(f"the vectors have {lengths[0]} dimensions", hint="ask for fewer with --dimensions")
    return files[0].model, _batches(files, options)


def _batches(files: Sequence[VectorFile], options: EmbedOptions) -> Iterator[EmbeddedBatch]:
    for file in files:
        for start in range(0, len(file), _AT_ONCE):
            stop = min(start + _AT_ONCE, len(file))
            vectors = file.vectors[start:stop]
            if options.dimensions:
                vectors = vectors[:, : options.dimensions]
                vectors = similarity.unit_or_zero(vectors) if options.normalize else vectors
            yield EmbeddedBatch(saved_texts([file])[start:stop], vectors)

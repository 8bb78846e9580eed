"""Texts in, vectors out, as a stream."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simil.embedders.base import Embedder, Kind, TextRejected
from simil.errors import InputError, Place
from simil.tasks.ahead import batches_ahead
from simil.texts import Text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["EmbedOptions", "EmbeddedBatch", "embed_all", "embed_stream"]


@dataclass(frozen=True, slots=True)
class EmbedOptions:
    """How vectors are wanted: for which kind of text, how many dimensions (None: all), of length 1 or not."""

    kind: Kind = Kind.SYMMETRIC
    dimensions: int | None = None
    normalize: bool = True


@dataclass(frozen=True, eq=False, slots=True)
class EmbeddedBatch:
    """Some texts and their vectors, float32 [len(texts), dimensions]."""

    texts: Sequence[Text]
    vectors: NDArray[np.float32]


def embed_stream(
    texts: Iterable[Text],
    embedder: Embedder,
    options: EmbedOptions,
    *,
    on_error: Callable[[InputError], None] | None = None,
) -> Iterator[EmbeddedBatch]:
    """Yield the texts' vectors in order, the first before the last text is read.

    Memory is bounded however many texts come. A text that the model refuses goes to `on_error` and is
    left out; without it an `InputError` that names its place is raised, as are the reader's errors.
    """
    for batch in batches_ahead(texts, lambda text: len(text.text)):
        embedded = embed_all(batch, embedder, options, on_error=on_error)
        if embedded.texts:
            yield embedded


def embed_all(
    texts: Sequence[Text],
    embedder: Embedder,
    options: EmbedOptions,
    *,
    on_error: Callable[[InputError], None] | None = None,
) -> EmbeddedBatch:
    """Return the vectors of `texts`; errors as in `embed_stream`."""
    kept = list(texts)
    while True:
        try:
            vectors = embedder.embed(
                [text.text for text in kept],
                options.kind,
                dimensions=options.dimensions,
                normalize=options.normalize,
            )
        except TextRejected as exc:
            error = rejected(exc, kept[exc.index].origin)
            if on_error is None:
                raise error from exc
            on_error(error)
            del kept[exc.index]
        else:
            return EmbeddedBatch(kept, vectors)


def rejected(exc: TextRejected, origin: Place) -> InputError:
    """Return the error of a refused text as one that says where the text stands."""
    return InputError(exc.message, hint=exc.hint, place=origin)

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
    ahead = batches_ahead(texts, lambda text: len(text.text))
    begun: _Begun | None = None
    for batch in ahead:
        # The next batch is begun before this one is waited for: the engine never idles. A slow pipe
        # gets its answer at once.
        previous, begun = begun, _Begun(batch, embedder, options, on_error)
        if previous is not None:
            yield from previous.wait()
        if not ahead.has_more:
            yield from begun.wait()
            begun = None
    if begun is not None:
        yield from begun.wait()


def embed_all(
    texts: Sequence[Text],
    embedder: Embedder,
    options: EmbedOptions,
    *,
    on_error: Callable[[InputError], None] | None = None,
) -> EmbeddedBatch:
    """Return the vectors of `texts`; errors as in `embed_stream`."""
    for batch in _Begun(texts, embedder, options, on_error).wait():
        return batch
    return EmbeddedBatch([], embedder.embed([], options.kind, dimensions=options.dimensions))


class _Begun:
    """Some texts that the embedder has begun with, but for those that it refused."""

    def __init__(
        self,
        texts: Sequence[Text],
        embedder: Embedder,
        options: EmbedOptions,
        on_error: Callable[[InputError], None] | None,
    ) -> None:
        self._kept = list(texts)
        self._embedder = embedder
        self._options = options
        self._on_error = on_error
        self._wait = self._begin()

    def wait(self) -> Iterator[EmbeddedBatch]:
        """Yield the texts and their vectors, nothing where all were refused."""
        while self._kept:
            try:
                vectors = self._wait()
            except TextRejected as exc:
                self._refuse(exc)
                self._wait = self._begin()
            else:
                yield EmbeddedBatch(self._kept, vectors)
                return

    def _begin(self) -> Callable[[], NDArray[np.float32]]:
        while True:
            try:
                return self._embedder.begin(
                    [text.text for text in self._kept],
                    self._options.kind,
                    dimensions=self._options.dimensions,
                    normalize=self._options.normalize,
                )
            except TextRejected as exc:
                self._refuse(exc)

    def _refuse(self, exc: TextRejected) -> None:
        error = rejected(exc, self._kept[exc.index].origin)
        if self._on_error is None:
            raise error from exc
        self._on_error(error)
        del self._kept[exc.index]


def rejected(exc: TextRejected, origin: Place) -> InputError:
    """Return the error of a refused text as one that says where the text stands."""
    return InputError(exc.message, hint=exc.hint, place=origin)

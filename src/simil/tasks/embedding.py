"""Texts in, vectors out, as a stream."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simil.embedders.base import Embedder, Kind, TextRejected
from simil.errors import InputError, Place
from simil.tasks.prefetch import prefetch_batches
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
    """Some texts and their vectors, float32 [len(texts), dimensions].

    `unknown` bool [len(texts)] are those of which the model knows nothing.
    """

    texts: Sequence[Text]
    vectors: NDArray[np.float32]
    unknown: NDArray[np.bool_]


def embed_stream(
    texts: Iterable[Text],
    embedder: Embedder,
    options: EmbedOptions,
    *,
    on_error: Callable[[InputError], None] | None = None,
    keeps_failed: bool = False,
    on_unknown: Callable[[Place], None] = lambda place: None,
) -> Iterator[EmbeddedBatch]:
    """Yield the texts' vectors in order, the first before the last text is read.

    Memory is bounded however many texts come. A text that the model refuses goes to `on_error` and is
    left out, or has a vector of nan where `keeps_failed`; without `on_error` an `InputError` that names
    its place is raised, as are the reader's errors. `on_unknown` gets the place of each text of which the
    model knows nothing.
    """
    reading = embedder.read_ahead
    ahead = prefetch_batches(
        texts, lambda text: len(text.text), most=reading.texts, most_characters=reading.characters
    )
    begun: _Begun | None = None
    for batch in ahead:
        # The next batch is begun before this one is waited for: the engine never idles. A slow pipe
        # gets its answer at once.
        previous = begun
        begun = _Begun(batch, embedder, options, on_error, on_unknown, keeps_failed=keeps_failed)
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
    on_unknown: Callable[[Place], None] = lambda place: None,
) -> EmbeddedBatch:
    """Return the vectors of `texts`; errors and `on_unknown` as in `embed_stream`."""
    import numpy as np

    for batch in _Begun(texts, embedder, options, on_error, on_unknown).wait():
        return batch
    nothing = embedder.embed([], options.kind, dimensions=options.dimensions)
    return EmbeddedBatch([], nothing, np.empty(0, np.bool_))


class _Begun:
    """Some texts that the embedder has begun with."""

    def __init__(
        self,
        texts: Sequence[Text],
        embedder: Embedder,
        options: EmbedOptions,
        on_error: Callable[[InputError], None] | None,
        on_unknown: Callable[[Place], None],
        *,
        keeps_failed: bool = False,
    ) -> None:
        import numpy as np

        self._texts = texts
        self._on_error = on_error
        self._on_unknown = on_unknown
        self._keeps_failed = keeps_failed
        self._failed: set[int] = set()
        self._unknown = np.zeros(len(texts), np.bool_)
        self._wait = embedder.begin(
            [text.text for text in texts],
            options.kind,
            dimensions=options.dimensions,
            normalize=options.normalize,
            on_rejected=self._refuse,
            on_unknown=self._note_unknown,
        )

    def wait(self) -> Iterator[EmbeddedBatch]:
        """Yield the texts and their vectors, nothing where all were refused and are left out."""
        vectors = self._wait() if self._texts else None
        if vectors is None:
            return
        if not self._failed or self._keeps_failed:
            yield EmbeddedBatch(self._texts, vectors, self._unknown)
            return
        kept = [row for row in range(len(self._texts)) if row not in self._failed]
        if kept:
            yield EmbeddedBatch([self._texts[row] for row in kept], vectors[kept], self._unknown[kept])

    def _note_unknown(self, index: int) -> None:
        self._unknown[index] = True
        self._on_unknown(self._texts[index].origin)

    def _refuse(self, exc: TextRejected) -> None:
        error = rejected(exc, self._texts[exc.index].origin)
        if self._on_error is None:
            raise error from exc
        self._on_error(error)
        self._failed.add(exc.index)


def rejected(exc: TextRejected, origin: Place) -> InputError:
    """Return the error of a refused text as one that says where the text stands."""
    return InputError(exc.message, hint=exc.hint, place=origin)

"""Texts in, vectors out, as a stream."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from simil.embedders.base import Embedder, Kind, TextRejected
from simil.errors import InputError, Place, ProviderError
from simil.frozen import Frozen
from simil.tasks.prefetch import prefetch_batches
from simil.texts import Text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from simil.embedders.recent_vectors import RecentVectors

__all__ = ["EmbedOptions", "EmbeddedBatch", "embed_all", "embed_stream"]


class EmbedOptions(Frozen):
    """How vectors are wanted: for which kind of text, how many dimensions (None: all), of length 1 or not.

    `ignored` is what readers have cut out of the texts; see `ReadOptions`.
    """

    kind: Kind = Kind.SYMMETRIC
    dimensions: int | None = None
    normalize: bool = True
    ignored: Sequence[str] = ()


class EmbeddedBatch(Frozen, eq=False):
    """Some texts and their vectors, float32 [len(texts), dimensions].

    `unknown` bool [len(texts)] are those of which the model knows nothing.
    """

    texts: Sequence[Text]
    vectors: NDArray[np.float32]
    unknown: NDArray[np.bool_]

    def at(self, rows: Sequence[int]) -> EmbeddedBatch:
        """Return some of them."""
        return EmbeddedBatch([self.texts[row] for row in rows], self.vectors[rows], self.unknown[rows])


def embed_stream(
    texts: Iterable[Text],
    embedder: Embedder,
    options: EmbedOptions,
    *,
    on_error: Callable[[InputError], None] | None = None,
    keeps_failed: bool = False,
    on_unknown: Callable[[Place], None] = lambda place: None,
    on_done: Callable[[int], None] = lambda count: None,
) -> Iterator[EmbeddedBatch]:
    """Yield the texts' vectors in order, the first before the last text is read.

    Memory is bounded however many texts come. A text that the model refuses goes to `on_error` and is
    left out, or has a vector of nan where `keeps_failed`, as a missing one has; without `on_error` an
    `InputError` that names its place is raised, as are the reader's errors. `on_unknown` gets the place of
    each text of which the model knows nothing, `on_done` the number of texts that are done, several times
    for each batch.
    """
    batches = _embedded(texts, embedder, options, on_error, on_unknown, on_done, keeps_failed=keeps_failed)
    return _after_a_vector(batches) if keeps_failed else batches


def _embedded(
    texts: Iterable[Text],
    embedder: Embedder,
    options: EmbedOptions,
    on_error: Callable[[InputError], None] | None,
    on_unknown: Callable[[Place], None],
    on_done: Callable[[int], None],
    *,
    keeps_failed: bool,
) -> Iterator[EmbeddedBatch]:
    from simil.embedders.recent_vectors import RecentVectors

    reading = embedder.read_ahead
    ahead = prefetch_batches(
        texts, lambda text: len(text.text), most=reading.texts, most_characters=reading.characters
    )
    begun: _Begun | None = None
    recent = RecentVectors()
    for batch in ahead:
        # The next batch is begun before this one is waited for: the engine never idles. A slow pipe
        # gets its answer at once.
        previous = begun
        begun = _Begun(
            batch, embedder, options, on_error, on_unknown, on_done, keeps_failed=keeps_failed, recent=recent
        )
        # More, once many texts go to a GPU.
        ahead.allow(embedder.read_ahead.texts, embedder.read_ahead.characters)
        if previous is not None:
            yield from previous.wait()
        if not ahead.has_more:
            yield from begun.wait()
            begun = None
    if begun is not None:
        yield from begun.wait()


def _after_a_vector(batches: Iterator[EmbeddedBatch]) -> Iterator[EmbeddedBatch]:
    """Join batches without any vector to the first that has one: it tells how long those of nan are."""
    import numpy as np

    held: list[EmbeddedBatch] = []
    for batch in batches:
        held.append(batch)
        if not np.isnan(batch.vectors[:, :1]).all():
            break
    if held:
        width = held[-1].vectors.shape[1]
        texts = [text for batch in held for text in batch.texts]
        vectors = np.full((len(texts), width), np.nan, np.float32)
        vectors[len(texts) - len(held[-1].texts) :] = held[-1].vectors
        yield EmbeddedBatch(texts, vectors, np.concatenate([batch.unknown for batch in held]))
    yield from batches


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
        on_done: Callable[[int], None] = lambda count: None,
        *,
        keeps_failed: bool = False,
        recent: RecentVectors | None = None,
    ) -> None:
        import numpy as np

        self._texts = texts
        self._on_error = on_error
        self._on_unknown = on_unknown
        self._keeps_failed = keeps_failed
        # Texts that are missing have a place, but are not sent.
        self._sent = [row for row, text in enumerate(texts) if not text.is_missing]
        self._failed: set[int] = set()
        self._unknown = np.zeros(len(texts), np.bool_)
        self._wait = embedder.begin(
            [texts[row].embedded for row in self._sent],
            options.kind,
            dimensions=options.dimensions,
            normalize=options.normalize,
            on_rejected=self._refuse,
            on_unknown=self._note_unknown,
            on_done=on_done,
            recent=recent,
        )
        on_done(len(texts) - len(self._sent))

    def wait(self) -> Iterator[EmbeddedBatch]:
        """Yield the texts and their vectors, nothing where all were refused and are left out."""
        if not self._texts:
            return
        wait = self._wait
        del self._wait  # It refers to this object, and the texts would stay until cycles are collected.
        try:
            vectors = self._in_place(wait())
        except ProviderError as exc:
            self._name_text(exc)
            raise
        batch = EmbeddedBatch(self._texts, vectors, self._unknown)
        if not self._failed or self._keeps_failed:
            yield batch
            return
        kept = [row for row in range(len(self._texts)) if row not in self._failed]
        if kept:
            yield batch.at(kept)

    def _in_place(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the vectors of all texts, nan for those that were not sent."""
        import numpy as np

        if len(self._sent) == len(self._texts):
            return vectors
        every = np.full((len(self._texts), vectors.shape[1]), np.nan, np.float32)
        every[self._sent] = vectors
        return every

    def _name_text(self, error: ProviderError) -> None:
        """Say where the text stands that a server refused, if there was only one.

        Of a server that has accepted nothing yet, it is not known whether the text is at fault.
        """
        places = {self._texts[row].embedded: self._texts[row].origin for row in reversed(self._sent)}
        if error.blames_texts and error.place is None and len(places) == 1:
            (error.place,) = places.values()

    def _note_unknown(self, index: int) -> None:
        row = self._sent[index]
        self._unknown[row] = True
        self._on_unknown(self._texts[row].origin)

    def _refuse(self, exc: TextRejected) -> None:
        row = self._sent[exc.index]
        error = rejected(exc, self._texts[row].origin)
        if self._on_error is None:
            raise error from exc
        self._on_error(error)
        self._failed.add(row)


def rejected(exc: TextRejected, origin: Place) -> InputError:
    """Return the error of a refused text as one that says where the text stands."""
    return InputError(exc.message, hint=exc.hint, place=origin)

"""The interface of everything that turns texts into vectors.

An implementer writes `dimensions`, `stamp` and `embed_batch`; a plug-in can be ten lines. The base class
does the rest: it embeds equal texts once, checks the vectors, shortens them and normalizes them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from simil.embedders.pieces import (
    Mark,
    Piece,
    StoredVector,
    TextRejected,
    VectorForm,
    check_piece,
    collect_pieces,
    finite_part,
    to_form,
)
from simil.foreign import ForeignCode
from simil.frozen import Frozen
from simil.similarity import Metric

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from simil.embedders.recent_vectors import RecentVectors
    from simil.embedders.usage import Plan, Usage

__all__ = ["Embedder", "Kind", "Mark", "Piece", "ReadAhead", "TextRejected", "VectorForm"]


class Kind(StrEnum):
    """The role of a text: many models need a prompt before queries, some before documents."""

    SYMMETRIC = "symmetric"
    QUERY = "query"
    DOCUMENT = "document"


class ReadAhead(Frozen):
    """How much of a stream is read and embedded at once: up to so many texts or characters."""

    texts: int = 1024
    characters: int = 1 << 20


class Embedder(ABC):
    """A model that gives each text a vector.

    Attributes:
        stamp: the model's name and, if it has one, its revision (`name@revision`). Vectors with different
            stamps are never compared.
        dimensions: the length of a vector; None until the first batch if only the server knows it.
        truncated: how many texts so far were longer than the model reads, and were cut.
        folder: the folder of a local model's files; None for other models.
        metric: how the model's files say that its vectors are compared; cosine if they do not say.
        is_paid: whether vectors cost money: each is cached as soon as it arrives and never requested twice.
        read_ahead: how much of a stream it embeds at once.
        usage: the requests and tokens of an API so far; None for a local model.
    """

    stamp: str
    dimensions: int | None = None
    truncated: int = 0
    folder: Path | None = None
    metric: Metric = Metric.COSINE
    is_paid: bool = False
    read_ahead: ReadAhead = ReadAhead()
    usage: Usage | None = None

    @property
    def kept(self) -> int:
        """How many of the vectors that this run has computed the next one will find."""
        return 0

    @abstractmethod
    def embed_batch(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the vectors of `texts`, float32 [len(texts), dimensions], in the same order.

        A text's vector must not depend on the other texts in the batch. Texts are never blank. Raises
        `TextRejected` for a text that cannot be embedded, another `SimilError` for any other failure.
        """

    def embed_batch_as(self, kind: Kind, texts: Sequence[str]) -> NDArray[np.float32]:
        """Like `embed_batch`, for texts of one kind; models with prompts override this."""
        return self.embed_batch(texts)

    def start_batch(self, kind: Kind, texts: Sequence[str]) -> Iterator[Piece | TextRejected]:
        """Start to embed `texts` and return an iterator over pieces as they get ready, in any order.

        The iterator yields a `TextRejected` for a text that cannot be embedded. An engine that works in the
        background overrides this method, so that the work has started when it returns. Raises other errors as
        `embed_batch` does, at once or from the iterator.
        """
        return self._one_piece(kind, texts)

    def start(
        self, texts: Sequence[str], kind: Kind, form: VectorForm, keep: Callable[[Piece], None] | None = None
    ) -> Iterator[Piece | TextRejected]:
        """Like `start_batch`, for at least one text, with vectors that are checked and in `form`.

        `keep` is called with each piece as soon as it is ready.
        """
        with self._foreign():
            pieces = self.start_batch(kind, texts)
        return self._checked_pieces(pieces, form, keep)

    def missing(self, texts: Sequence[str], kind: Kind, form: VectorForm) -> list[int]:
        """Return the places of the texts whose vectors are not cached."""
        return list(range(len(texts)))

    def stored(self, texts: Sequence[str], kind: Kind, form: VectorForm) -> Sequence[StoredVector] | None:
        """Return the vectors of `texts`, read without NumPy, if all of them are cached; else None."""
        return None

    def plan(self) -> Plan | None:
        """Return a new counter of the requests that texts would need; None for a local model."""
        return None

    def token_counts(self, texts: Sequence[str], kind: Kind) -> Sequence[int]:
        """Return how many tokens the model reads of each text; 0 where only a server knows."""
        return [0] * len(texts)

    def trust(self) -> None:  # noqa: B027 (most embedders identify a bad text themselves)
        """Note that this model has embedded texts before, so that a failure now is due to the text."""

    def status(self) -> str:
        """Return what the work is waiting for, as "rate limited, 12 s"; "" if it is not waiting."""
        return ""

    def begin(
        self,
        texts: Sequence[str],
        kind: Kind = Kind.SYMMETRIC,
        *,
        dimensions: int | None = None,
        normalize: bool = True,
        on_rejected: Callable[[TextRejected], None] | None = None,
        on_unknown: Callable[[int], None] | None = None,
        on_done: Callable[[int], None] = lambda count: None,
        recent: RecentVectors | None = None,
    ) -> Callable[[], NDArray[np.float32]]:
        """Start to embed, and return a function that waits for the vectors; see `embed`.

        Several batches can be started before the first is waited for; they overlap if the engine works in the
        background. A text that cannot be embedded goes to `on_rejected`, and its vector is nan; without
        `on_rejected` its `TextRejected` is raised. `on_unknown` is called with the place of each text of
        which the model knows nothing, `on_done` with the number of texts of each piece that gets ready.
        What `recent` remembers is taken from there, and the other vectors are remembered.
        """
        import numpy as np

        from simil.embedders.distinct import Distinct

        if not texts:
            return lambda: np.empty((0, dimensions or self.dimensions or 0), np.float32)
        distinct = Distinct.of(texts)
        start = partial(self.start, kind=kind, form=VectorForm(dimensions, normalize))
        pieces = start(distinct.items) if recent is None else recent.completed(distinct.items, start)

        def wait() -> NDArray[np.float32]:
            counted = _counted(pieces, len(texts), on_done)
            vectors, marks = self._collect(counted, len(distinct.items), distinct.rejecting(on_rejected))
            if len(distinct.items) < len(texts):
                vectors, marks = vectors[distinct.rows], marks[distinct.rows]
            self.truncated += int(np.count_nonzero(marks & Mark.CUT))
            if on_unknown is not None:
                for index in np.flatnonzero(marks & Mark.UNKNOWN).tolist():
                    on_unknown(index)
            return vectors

        return wait

    def embed(
        self,
        texts: Sequence[str],
        kind: Kind = Kind.SYMMETRIC,
        *,
        dimensions: int | None = None,
        normalize: bool = True,
    ) -> NDArray[np.float32]:
        """Return the vectors of `texts`, float32 [len(texts), dimensions], C-contiguous.

        Equal texts are embedded once. `dimensions` keeps only the first so many, for models that were trained
        for it (Matryoshka representation learning, arXiv:2205.13147); `normalize` then gives each vector
        length 1, but a zero vector stays zero. Raises `UsageError` if the model has fewer dimensions,
        `TextRejected` for a text that cannot be embedded, `ModelError` if the model fails or returns the
        wrong number of vectors, vectors of the wrong length, or a value that is not finite.
        """
        return self.begin(texts, kind, dimensions=dimensions, normalize=normalize)()

    def close(self) -> None:  # noqa: B027 (most embedders hold nothing)
        """Release connections and memory; the embedder cannot be used afterwards."""

    def _one_piece(self, kind: Kind, texts: Sequence[str]) -> Iterator[Piece | TextRejected]:
        """Yield the vectors of `embed_batch_as` in one piece, after the texts that it rejects."""
        import numpy as np

        rows = list(range(len(texts)))
        while rows:
            try:
                vectors = self.embed_batch_as(kind, [texts[row] for row in rows])
            except TextRejected as exc:
                exc.index = rows.pop(exc.index)
                yield exc
            else:
                vectors = np.ascontiguousarray(vectors, dtype=np.float32)
                yield Piece(np.array(rows), vectors, np.zeros(len(rows), np.uint8))
                return

    def _checked_pieces(
        self, pieces: Iterator[Piece | TextRejected], form: VectorForm, keep: Callable[[Piece], None] | None
    ) -> Iterator[Piece | TextRejected]:
        while True:
            with self._foreign():
                piece = next(pieces, None)
            if piece is None:
                return
            if isinstance(piece, Piece):
                piece, rejected = finite_part(self._checked(piece), self.stamp)
                yield from rejected
                piece = to_form(piece, form, self.stamp)
                if keep is not None:
                    keep(piece)
            yield piece

    def _checked(self, piece: Piece) -> Piece:
        """Return the piece; the first one sets `dimensions` if they were not known."""
        check_piece(piece, self.stamp, self.dimensions)
        self.dimensions = piece.vectors.shape[1]
        return piece

    def _collect(
        self, pieces: Iterator[Piece | TextRejected], count: int, on_rejected: Callable[[TextRejected], None]
    ) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        return collect_pieces(pieces, count, on_rejected, stamp=self.stamp, dimensions=self.dimensions)

    def _foreign(self) -> ForeignCode:
        """The boundary around plug-ins and the engines' libraries."""
        return ForeignCode(f"{self.stamp} failed")


def _counted(
    pieces: Iterator[Piece | TextRejected], texts: int, on_done: Callable[[int], None]
) -> Iterator[Piece | TextRejected]:
    """Pass on the pieces, and report how many texts each has; at the end those that are equal to others."""
    for piece in pieces:
        count = len(piece.rows) if isinstance(piece, Piece) else 1
        texts -= count
        yield piece
        on_done(count)
    on_done(texts)

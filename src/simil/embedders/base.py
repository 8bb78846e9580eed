"""The interface of everything that turns texts into vectors.

An implementer writes `dimensions`, `stamp` and `embed_batch`; a plug-in can be ten lines. What
callers need beyond that (equal texts once, checks, truncation to fewer dimensions, unit length) lives
here, once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from simil.embedders.usage import Plan, Usage
from simil.errors import ModelError, SimilError, UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Embedder", "Form", "Kind", "Piece", "Reading", "TextRejected", "moved", "raised"]


_FAULT = "this is a fault of the model or plug-in"


class Kind(StrEnum):
    """What a text is to the model: many models want a prompt before queries, some before documents."""

    SYMMETRIC = "symmetric"
    QUERY = "query"
    DOCUMENT = "document"


class TextRejected(SimilError):
    """One text of a batch cannot be embedded; `index` is its place in the batch.

    Whoever knows where the text came from turns this into an `InputError` that names file and line.
    """

    exit_code = 3

    def __init__(self, index: int, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.index = index


@dataclass(frozen=True, eq=False, slots=True)
class Piece:
    """Some of a batch's vectors, as soon as they are ready.

    `rows` int [n] are the texts' places in the batch, `vectors` float32 [n, dimensions]; `cut` bool [n]
    tells which texts were longer than the model reads and lost their end.
    """

    rows: NDArray[np.intp]
    vectors: NDArray[np.float32]
    cut: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Form:
    """What is made of a model's vectors: their first `dimensions` (None: all), of length 1 or not."""

    dimensions: int | None = None
    normalize: bool = True


@dataclass(frozen=True, slots=True)
class Reading:
    """How much of a stream is read ahead and begun at once: as many texts, or so many characters of them."""

    texts: int = 1024
    characters: int = 1 << 20


class Embedder(ABC):
    """A model that gives each text a vector.

    Attributes:
        stamp: names the model and, where there is one, its revision (`name@revision`). Vectors with
            different stamps are never compared.
        dimensions: length of a vector; None until the first batch where only the server knows.
        truncated: how many texts so far were longer than the model reads and lost their end.
        folder: where the files of a model of this machine are; None for others.
        is_paid: whether vectors cost money: each is kept as soon as it is there, and never asked for twice.
        reading: how much of a stream it wants at once.
        usage: what the use of an API came to so far; None for a model of this machine.
    """

    stamp: str
    dimensions: int | None = None
    truncated: int = 0
    folder: Path | None = None
    is_paid: bool = False
    reading: Reading = Reading()
    usage: Usage | None = None

    @abstractmethod
    def embed_batch(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the vectors of `texts`, float32, shape (len(texts), dimensions), in their order.

        The vector of a text must not depend on the others in the batch. Texts are not blank.
        Raises `TextRejected` for a text that cannot be embedded, any other `SimilError` for the rest.
        """

    def embed_batch_as(self, kind: Kind, texts: Sequence[str]) -> NDArray[np.float32]:
        """Like `embed_batch`, for texts of one kind; models that know prompts override this."""
        return self.embed_batch(texts)

    def start_batch(self, kind: Kind, texts: Sequence[str]) -> Iterator[Piece | TextRejected]:
        """Begin to embed `texts` and return an iterator over pieces as they get ready, in any order.

        A text that cannot be embedded comes as a `TextRejected` among them. An engine that works in the
        background overrides this: it has begun when this returns. Other errors as in `embed_batch`, now
        or from the iterator.
        """
        return self._at_once(kind, texts)

    def start(
        self, texts: Sequence[str], kind: Kind, form: Form, keep: Callable[[Piece], None] | None = None
    ) -> Iterator[Piece | TextRejected]:
        """Like `start_batch`, for at least one text, with vectors checked and in form.

        `keep` is called with each piece as soon as it is ready.
        """
        with self._translated():
            pieces = self.start_batch(kind, texts)
        return self._finished(pieces, form, keep)

    def missing(self, texts: Sequence[str], kind: Kind, form: Form) -> list[int]:
        """Return the places of the texts that would have to be embedded, as no cache holds them."""
        return list(range(len(texts)))

    def plan(self) -> Plan | None:
        """Return what counts the requests that texts would take; None for a model of this machine."""
        return None

    def trust(self) -> None:  # noqa: B027 (most embedders tell a bad text by themselves)
        """Take in that this model has embedded texts before: what it refuses now is a text's fault."""

    def status(self) -> str:
        """Return what the work waits for, as "rate limited, 12 s"; empty while it goes on."""
        return ""

    def begin(
        self,
        texts: Sequence[str],
        kind: Kind = Kind.SYMMETRIC,
        *,
        dimensions: int | None = None,
        normalize: bool = True,
        on_refused: Callable[[TextRejected], None] | None = None,
    ) -> Callable[[], NDArray[np.float32]]:
        """Begin to embed, and return a function that waits for the vectors; see `embed`.

        What is begun before the last one was waited for overlaps with it, where the engine can. A text
        that cannot be embedded goes to `on_refused`, and its vector is nan; without it a `TextRejected` is
        raised.
        """
        import numpy as np

        if not texts:
            return lambda: np.empty((0, dimensions or self.dimensions or 0), np.float32)
        different = list(dict.fromkeys(texts))
        place = {text: row for row, text in enumerate(different)}
        rows = [place[text] for text in texts]
        pieces = self.start(different, kind, Form(dimensions, normalize))

        def refused(exc: TextRejected) -> None:
            exc.index = rows.index(exc.index)
            if on_refused is None:
                raise exc
            for index in range(exc.index, len(rows)):
                if rows[index] == rows[exc.index]:
                    on_refused(TextRejected(index, exc.message, hint=exc.hint))

        def wait() -> NDArray[np.float32]:
            vectors, cut = self._collected(pieces, len(different), refused)
            if len(different) == len(texts):
                self.truncated += int(cut.sum())
                return vectors
            self.truncated += int(cut[rows].sum())
            return vectors[rows]

        return wait

    def embed(
        self,
        texts: Sequence[str],
        kind: Kind = Kind.SYMMETRIC,
        *,
        dimensions: int | None = None,
        normalize: bool = True,
    ) -> NDArray[np.float32]:
        """Return checked vectors of `texts`: float32, C-contiguous, shape (len(texts), dimensions).

        Equal texts are embedded once. `dimensions` keeps only the first so many (sound for models trained
        for it, Matryoshka representation learning, arXiv:2205.13147); `normalize` then gives each vector
        length 1 (a zero vector stays zero). Raises `UsageError` for more dimensions than there are,
        `ModelError` when the model fails, or returns the wrong number of vectors, another length than it
        announced, or a value that is not finite.
        """
        return self.begin(texts, kind, dimensions=dimensions, normalize=normalize)()

    def close(self) -> None:  # noqa: B027 (most embedders hold nothing)
        """Let go of connections and memory; the embedder is not used afterwards."""

    def _at_once(self, kind: Kind, texts: Sequence[str]) -> Iterator[Piece | TextRejected]:
        """Yield the vectors of `embed_batch_as` in one piece; without the texts that it refuses."""
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
                yield Piece(np.array(rows), vectors, np.zeros(len(rows), np.bool_))
                return

    def _finished(
        self, pieces: Iterator[Piece | TextRejected], form: Form, keep: Callable[[Piece], None] | None
    ) -> Iterator[Piece | TextRejected]:
        while True:
            with self._translated():
                piece = next(pieces, None)
            if piece is None:
                return
            if isinstance(piece, Piece):
                piece = self._in_form(piece, form)
                if keep is not None:
                    keep(piece)
            yield piece

    def _in_form(self, piece: Piece, form: Form) -> Piece:
        """Return the piece, checked, with its vectors cut and normalized as wanted."""
        import numpy as np

        from simil import similarity

        self._check(piece)
        vectors = piece.vectors
        if form.dimensions is not None:
            if form.dimensions > vectors.shape[1]:
                raise UsageError(
                    f"{self.stamp} has {vectors.shape[1]} dimensions, {form.dimensions} were asked for",
                    hint="ask for fewer",
                )
            vectors = np.ascontiguousarray(vectors[:, : form.dimensions])
        return Piece(piece.rows, similarity.unit_or_zero(vectors) if form.normalize else vectors, piece.cut)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn a plug-in's own mistakes, and what the engines' libraries raise, into `ModelError`."""
        try:
            yield
        except (SimilError, MemoryError):
            raise
        except Exception as exc:
            raise ModelError(f"{self.stamp} failed: {type(exc).__name__}: {exc}") from exc

    def _collected(
        self, pieces: Iterator[Piece | TextRejected], count: int, refused: Callable[[TextRejected], None]
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Put pieces in the order of their batch: vectors float32 [count, dimensions], cut bool [count].

        What is refused goes to `refused`; its vectors are nan.
        """
        import numpy as np

        missing, cut = np.ones(count, np.bool_), np.zeros(count, np.bool_)
        vectors: NDArray[np.float32] | None = None
        for piece in pieces:
            if isinstance(piece, TextRejected):
                missing[piece.index] = False
                refused(piece)
                continue
            if vectors is None:
                vectors = np.full((count, piece.vectors.shape[1]), np.nan, np.float32)
            if piece.vectors.shape[1] != vectors.shape[1]:
                raise ModelError(
                    f"{self.stamp} gives vectors of {vectors.shape[1]} and of "
                    f"{piece.vectors.shape[1]} dimensions",
                    hint="if another model goes by this name now, run simil cache clear",
                )
            vectors[piece.rows] = piece.vectors
            cut[piece.rows] = piece.cut
            missing[piece.rows] = False
        if missing.any():
            raise self._wrong_number(count - int(missing.sum()), count)
        if vectors is None:
            vectors = np.full((count, self.dimensions or 0), np.nan, np.float32)
        return vectors, cut

    def _wrong_number(self, found: int, count: int) -> ModelError:
        return ModelError(f"{self.stamp} returned {found} vectors for {count} texts", hint=_FAULT)

    def _check(self, piece: Piece) -> None:
        import numpy as np

        vectors = piece.vectors
        if vectors.ndim != 2 or len(vectors) != len(piece.rows):
            raise ModelError(
                f"{self.stamp} returned vectors of shape {vectors.shape} for {len(piece.rows)} texts",
                hint=_FAULT,
            )
        if self.dimensions is None:
            self.dimensions = vectors.shape[1]
        if vectors.shape[1] != self.dimensions:
            raise ModelError(
                f"{self.stamp} announced {self.dimensions} dimensions and returned {vectors.shape[1]}",
                hint=_FAULT,
            )
        finite = np.isfinite(vectors).all(axis=1)
        if not finite.all():
            row = int(piece.rows[np.argmin(finite)])
            raise ModelError(
                f"{self.stamp} returned a value that is not finite, for text {row + 1}", hint=_FAULT
            )


def moved(pieces: Iterable[Piece | TextRejected], rows: Sequence[int]) -> Iterator[Piece | TextRejected]:
    """Let pieces that count among some texts count among all, where they stand at `rows`."""
    import numpy as np

    places = np.array(rows, np.intp)
    for piece in pieces:
        if isinstance(piece, TextRejected):
            piece.index = int(places[piece.index])
            yield piece
        else:
            yield Piece(places[piece.rows], piece.vectors, piece.cut)


def raised(refused: TextRejected) -> None:
    """Raise a refusal, where there is nobody who goes on without the text."""
    raise refused

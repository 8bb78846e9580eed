"""Pieces of a batch, some of its vectors as they get ready: checks, forms, and their collection."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import IntFlag
from typing import TYPE_CHECKING, NamedTuple

from simil.errors import ModelError, SimilError, UsageError
from simil.frozen import Frozen

if TYPE_CHECKING:
    from array import array

    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "Mark",
    "Piece",
    "StoredVector",
    "TextRejected",
    "VectorForm",
    "as_vectors",
    "check_piece",
    "collect_pieces",
    "finite_part",
    "marked",
    "passed_to",
    "raise_rejection",
    "reindex",
    "take_rows",
    "to_form",
]

_BUG = "this is a bug in the model or plug-in"


class TextRejected(SimilError):
    """One text of a batch cannot be embedded; `index` is its place in the batch.

    Code that knows where the text came from turns this into an `InputError` that names file and line.
    """

    exit_code = 3

    def __init__(self, index: int, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.index = index


class Mark(IntFlag):
    """What a run says about a text beside its vector.

    `CUT`: it was longer than the model reads and lost its end. `UNKNOWN`: every token stands for something
    that the model does not know, so that all such texts have nearly the same vector, whatever they say.
    """

    CUT = 1
    UNKNOWN = 2


class Piece(Frozen, eq=False):
    """Some of a batch's vectors.

    `rows` int [n] are the texts' places in the batch, `vectors` float32 [n, dimensions]; `marks` uint8 [n]
    holds a `Mark` for each, 0 for most.
    """

    rows: NDArray[np.intp]
    vectors: NDArray[np.float32]
    marks: NDArray[np.uint8]


class StoredVector(NamedTuple):
    """A vector out of a cache for those who need no NumPy: `array("f")`, and a `Mark`."""

    values: array[float]
    mark: int


class VectorForm(Frozen):
    """How a model's vectors are returned: their first `dimensions` (None: all), of length 1 or not."""

    dimensions: int | None = None
    normalize: bool = True


def marked(which: NDArray[np.bool_], mark: Mark) -> NDArray[np.uint8]:
    """Return `mark` where `which` is set, else 0."""
    import numpy as np

    return np.where(which, np.uint8(mark), np.uint8(0))


def as_vectors(given: object, stamp: str) -> NDArray[np.float32]:
    """Return what a plug-in gave for vectors as an array of float32 that nobody else holds.

    Raises `ModelError` for what is no array of real numbers; a value too large for float32 is infinite.
    """
    import numpy as np

    array = np.asarray(given)
    if array.dtype.kind not in "fiub":
        raise ModelError(f"{stamp} returned {array.dtype}, not an array of numbers", hint=_BUG)
    with np.errstate(all="ignore"):
        return np.array(array, np.float32, order="C")


def take_rows(piece: Piece | TextRejected, left: set[int], stamp: str) -> None:
    """Remove the texts of a piece or rejection from `left`; raises `ModelError` for one that is not there."""
    rows = [piece.index] if isinstance(piece, TextRejected) else piece.rows.tolist()
    if len({*rows}) < len(rows) or not left.issuperset(rows):
        raise ModelError(f"{stamp} returned a vector twice, or for a text that it was not given", hint=_BUG)
    left.difference_update(rows)


def check_piece(piece: Piece, stamp: str, dimensions: int | None) -> None:
    """Raise `ModelError` unless the vectors have the right shape.

    `dimensions` is the expected length of a vector, None for any.
    """
    vectors = piece.vectors
    if vectors.ndim != 2 or len(vectors) != len(piece.rows) or not vectors.shape[1]:
        what = f"returned vectors of shape {vectors.shape} for {len(piece.rows)} texts"
        raise ModelError(f"{stamp} {what}", hint=_BUG)
    if dimensions not in (None, vectors.shape[1]):
        what = f"declares {dimensions} dimensions but returned {vectors.shape[1]}"
        raise ModelError(f"{stamp} {what}", hint=_BUG)


def finite_part(piece: Piece, stamp: str) -> tuple[Piece, list[TextRejected]]:
    """Return the vectors that have only finite values, and a rejection for each other text.

    Raises `ModelError` if there is no such vector: then it is not the texts.
    """
    import numpy as np

    finite = np.isfinite(piece.vectors).all(axis=1)
    if finite.all():
        return piece, []
    what = f"{stamp} returned a value that is not finite"
    if not finite.any():
        raise ModelError(what, hint=_BUG)
    rejected = [TextRejected(int(row), what) for row in piece.rows[~finite]]
    return Piece(piece.rows[finite], piece.vectors[finite], piece.marks[finite]), rejected


def to_form(piece: Piece, form: VectorForm, stamp: str) -> Piece:
    """Return the piece with its vectors shortened and normalized as `form` says.

    Raises `UsageError` if the vectors have fewer dimensions.
    """
    import numpy as np

    from simil import similarity

    vectors = piece.vectors
    if form.dimensions is not None:
        if form.dimensions > vectors.shape[1]:
            raise UsageError(
                f"{stamp} has {vectors.shape[1]} dimensions, {form.dimensions} were asked for",
                hint="ask for fewer",
            )
        vectors = np.ascontiguousarray(vectors[:, : form.dimensions])
    return Piece(piece.rows, similarity.unit_or_zero(vectors) if form.normalize else vectors, piece.marks)


def collect_pieces(
    pieces: Iterable[Piece | TextRejected],
    count: int,
    on_rejected: Callable[[TextRejected], None],
    *,
    stamp: str,
    dimensions: int | None,
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Put a batch of `count` texts together: vectors float32 [count, dimensions], marks uint8 [count].

    A rejected text goes to `on_rejected`, and its vector is nan. Raises `ModelError` if a vector is missing
    or their lengths differ.
    """
    import numpy as np

    missing, marks = np.ones(count, np.bool_), np.zeros(count, np.uint8)
    refused: list[int] = []
    vectors: NDArray[np.float32] | None = None
    for piece in pieces:
        if isinstance(piece, TextRejected):
            missing[piece.index] = False
            refused.append(piece.index)
            on_rejected(piece)
            continue
        if vectors is None:
            vectors = np.empty((count, piece.vectors.shape[1]), np.float32)
        if piece.vectors.shape[1] != vectors.shape[1]:
            raise ModelError(
                f"{stamp} gives vectors of {vectors.shape[1]} and of {piece.vectors.shape[1]} dimensions",
                hint="if this name now means another model, run simil cache clear",
            )
        vectors[piece.rows] = piece.vectors
        marks[piece.rows] = piece.marks
        missing[piece.rows] = False
    if missing.any():
        found = count - int(missing.sum())
        raise ModelError(f"{stamp} returned {found} vectors for {count} texts", hint=_BUG)
    if vectors is None:
        vectors = np.empty((count, dimensions or 0), np.float32)
    vectors[refused] = np.nan
    return vectors, marks


def reindex(pieces: Iterable[Piece | TextRejected], rows: Sequence[int]) -> Iterator[Piece | TextRejected]:
    """Yield pieces of a part of a batch as pieces of the whole, in which the part's texts stand at `rows`."""
    import numpy as np

    places = np.array(rows, np.intp)
    for piece in pieces:
        if isinstance(piece, TextRejected):
            piece.index = int(places[piece.index])
            yield piece
        else:
            yield Piece(places[piece.rows], piece.vectors, piece.marks)


def passed_to(
    keep: Callable[[Piece], None], pieces: Iterator[Piece | TextRejected]
) -> Iterator[Piece | TextRejected]:
    """Yield the pieces, each after `keep` was called with it."""
    for piece in pieces:
        if isinstance(piece, Piece):
            keep(piece)
        yield piece


def raise_rejection(rejected: TextRejected) -> None:
    """Raise a rejection: the `on_rejected` of a batch that must be complete."""
    raise rejected

"""Texts and their vectors, as the tasks take them: embedded now, or saved before."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, overload

from simil import similarity
from simil.embedders.base import Embedder
from simil.errors import InputError, ModelMismatch, Place, UsageError
from simil.tasks.embedding import EmbedOptions, embed_stream
from simil.texts import Text
from simil.vectors import VectorFile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "Corpus",
    "check_models",
    "content_of",
    "embed_corpus",
    "place_of",
    "saved_corpus",
    "saved_texts",
]

# How far the square of a vector's length may be from 1, as float32 sums it: less than a score's digits.
_NEAR_ONE = 2e-6


@dataclass(frozen=True, eq=False, slots=True)
class Corpus:
    """Texts and their vectors, float32 [len(texts), dimensions], each of length 1, by one model.

    `model` is None where a file of vectors does not say what made them. `saved` tells that they come
    from such a file: their texts may be empty, and their places say little.
    """

    texts: Sequence[Text]
    vectors: NDArray[np.float32]
    model: str | None
    saved: bool = False

    def __len__(self) -> int:
        return len(self.texts)

    def place(self, row: int) -> str:
        """Return where a person finds text `row`: `file:line`, or the id of a saved vector."""
        return place_of(self.texts[row], saved=self.saved)

    def content(self, row: int) -> str:
        """Return text `row`, or its id where only its vector was saved."""
        return content_of(self.texts[row])


def place_of(text: Text, *, saved: bool) -> str:
    """Return where a person finds `text`; see `Corpus.place`."""
    return text.id if saved else str(text.origin)


def content_of(text: Text) -> str:
    """Return what can be shown of `text`; see `Corpus.content`."""
    return text.text or text.id


def embed_corpus(
    texts: Iterable[Text],
    embedder: Embedder,
    options: EmbedOptions,
    *,
    on_error: Callable[[InputError], None] | None = None,
    advance: Callable[[int], None] = lambda count: None,
) -> Corpus:
    """Return the texts with their vectors; errors as in `embed_stream`.

    `advance` is told how many texts are done with. Raises `ModelError` for a vector without direction.
    """
    import numpy as np

    kept: list[Text] = []
    parts: list[NDArray[np.float32]] = []
    for batch in embed_stream(texts, embedder, options, on_error=on_error):
        kept += batch.texts
        parts.append(batch.vectors)
        advance(len(batch.texts))
    width = options.dimensions or embedder.dimensions or 0
    vectors = np.concatenate(parts) if parts else np.empty((0, width), np.float32)
    _check_directions(vectors, lambda row: kept[row].origin)
    return Corpus(kept, vectors, embedder.stamp)


def saved_corpus(files: Sequence[VectorFile], dimensions: int | None = None) -> Corpus:
    """Return the vectors of files, brought to length 1 and to their first `dimensions`.

    A file whose vectors have that length already is not copied. Raises `ModelMismatch` when the files
    are of two models or lengths, `InputError` for a vector without direction.
    """
    import numpy as np

    filled = [file for file in files if len(file)]
    check_models({file.model for file in filled})
    lengths = sorted({file.vectors.shape[1] for file in filled})
    if len(lengths) > 1:
        raise ModelMismatch(
            f"vectors of {' and '.join(map(str, lengths))} dimensions cannot be compared",
            hint="make them alike with simil embed",
        )
    if dimensions and lengths and dimensions > lengths[0]:
        raise UsageError(f"the vectors have {lengths[0]} dimensions", hint="ask for fewer with --dimensions")
    if not filled:
        return Corpus([], np.empty((0, dimensions or 0), np.float32), None, saved=True)
    texts = saved_texts(filled)
    parts = [file.vectors[:, :dimensions] for file in filled]
    vectors = parts[0] if len(parts) == 1 else np.concatenate(parts)
    return Corpus(texts, _of_length_one(vectors, texts), filled[0].model, saved=True)


def check_models(models: set[str | None]) -> None:
    """Raise `ModelMismatch` when vectors of these models would meet; None is an unknown one."""
    if len(models) < 2:
        return
    known = sorted(model for model in models if model)
    if None in models:
        raise ModelMismatch(
            f"a file of vectors does not say which model made them, so {known[0]} cannot be held against it",
            hint="embed it again with simil embed",
        )
    raise ModelMismatch(
        f"vectors of two models cannot be compared: {' and '.join(known)}",
        hint="embed all of them with one model",
    )


def saved_texts(files: Sequence[VectorFile]) -> Sequence[Text]:
    """Return a text for each vector of the files, made when it is asked for; its place is file and number."""
    return _SavedTexts(files)


class _SavedTexts(Sequence[Text]):
    # Made on demand: of a million saved vectors a search shows ten.

    def __init__(self, files: Sequence[VectorFile]) -> None:
        self._files = files
        self._ends = list(accumulate(len(file) for file in files))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    @overload
    def __getitem__(self, index: int) -> Text: ...
    @overload
    def __getitem__(self, index: slice) -> list[Text]: ...
    def __getitem__(self, index: int | slice) -> Text | list[Text]:
        if isinstance(index, slice):
            return [self[row] for row in range(*index.indices(len(self)))]
        number = range(len(self))[index]
        which = bisect_right(self._ends, number)
        file = self._files[which]
        row = number - (self._ends[which] - len(file))
        return Text(file.ids[row], file.texts[row] or "", Place(file.source, row + 1), file.fields[row])


def _of_length_one(vectors: NDArray[np.float32], texts: Sequence[Text]) -> NDArray[np.float32]:
    import numpy as np

    squares = np.einsum("ij,ij->i", vectors, vectors)
    if (np.abs(squares - 1) <= _NEAR_ONE).all():
        return vectors
    _check_directions(vectors, lambda row: texts[row].origin)
    return similarity.unit(vectors)


def _check_directions(vectors: NDArray[np.float32], place: Callable[[int], Place]) -> None:
    directed = vectors.any(axis=1)
    if not directed.all():
        raise InputError("the vector is zero and has no direction", place=place(int(directed.argmin())))

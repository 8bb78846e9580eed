"""Texts and their vectors, as the tasks take them: embedded in this run, or saved by another."""

from __future__ import annotations

from abc import abstractmethod
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Protocol, overload

from simil.errors import InputError, ModelMismatch, Place
from simil.frozen import Frozen
from simil.texts import Text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from simil.vectors import VectorFile

__all__ = [
    "Corpus",
    "Searchable",
    "TextsOnDemand",
    "UnreadTexts",
    "arranged",
    "check_models",
    "content_of",
    "equal_unknown",
    "given_text",
    "place_of",
    "saved_texts",
    "texts_at",
]


_NONE: Mapping[str, Any] = {}
_AT_ONCE = 4096


class Corpus(Frozen, eq=False):
    """Texts and their vectors, float32 [len(texts), dimensions], each of length 1, by one model.

    `model` is None where a file of vectors does not say what made them. `saved` tells that they come
    from such a file: their texts may be empty, and their places say little. `unknown` bool [len(texts)]
    are the texts of which the model knows nothing, so that their scores mean nothing; None where there are
    none, and for saved vectors, which do not tell. `types` are those of Arrow that fields of the texts have
    in their source, by name. `blanks` are blank texts, which have no vectors, each with the number of texts
    before it; they are there only if all rows are read. `sources` is the number of inputs.
    """

    texts: Sequence[Text]
    vectors: NDArray[np.float32]
    model: str | None
    saved: bool = False
    unknown: NDArray[np.bool_] | None = None
    types: Mapping[str, Any] = _NONE
    blanks: Sequence[tuple[int, Text]] = ()
    sources: int = 1

    def __len__(self) -> int:
        return len(self.texts)

    def known(self) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the rows of the texts of which the model knows something, and their vectors.

        Where these are all rows, the vectors are not copied.
        """
        import numpy as np

        if self.unknown is None:
            return np.arange(len(self)), self.vectors
        rows = np.flatnonzero(~self.unknown)
        return rows, self.vectors[rows]

    def unknown_rows(self) -> NDArray[np.int64]:
        """Return the rows of the other texts."""
        import numpy as np

        return np.empty(0, np.int64) if self.unknown is None else np.flatnonzero(self.unknown)

    def nearest(self, queries: NDArray[np.float32], k: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return the cosines and rows of the known texts that are nearest, as `similarity.top_k` does."""
        from simil import similarity

        rows, vectors = self.known()
        scores, places = similarity.top_k(queries, vectors, k)
        return scores, rows[places]

    @property
    def is_on_demand(self) -> bool:
        """Whether the texts are read when they are asked for, as of a dataset that is larger than memory."""
        return isinstance(self.texts, TextsOnDemand)

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


def check_models(models: set[str | None]) -> None:
    """Raise `ModelMismatch` when vectors of these models would meet; None is an unknown one."""
    if len(models) < 2:
        return
    known = sorted(model for model in models if model)
    if None in models:
        raise ModelMismatch(
            f"a file of vectors does not say which model made them, so {known[0]} cannot be compared with it",
            hint="embed it again with simil embed",
        )
    raise ModelMismatch(
        f"vectors of two models cannot be compared: {' and '.join(known)}",
        hint="embed all of them with one model",
    )


class Searchable(Protocol):
    """Texts among which the nearest are found: a corpus, or one that is larger than memory."""

    @property
    def texts(self) -> Sequence[Text]: ...

    def __len__(self) -> int: ...

    def nearest(
        self, queries: NDArray[np.float32], k: int
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]: ...


class UnreadTexts(Sequence[Text]):
    """Texts that are made when they are asked for: of a million rows, a search shows ten."""

    @overload
    def __getitem__(self, index: int) -> Text: ...
    @overload
    def __getitem__(self, index: slice) -> list[Text]: ...
    def __getitem__(self, index: int | slice) -> Text | list[Text]:
        rows = range(len(self))[index]
        return self.text(rows) if isinstance(rows, int) else [self.text(row) for row in rows]

    @abstractmethod
    def text(self, row: int) -> Text:
        """Return the text in a row, counted from 0."""


class TextsOnDemand(UnreadTexts):
    """Texts of which so many are asked for that they are read in parts."""

    @abstractmethod
    def at(self, rows: NDArray[np.int64]) -> Iterator[Text]:
        """Yield the texts in some rows, many read at once."""


def texts_at(texts: Sequence[Text], rows: NDArray[np.int64]) -> Iterator[Text]:
    """Yield the texts in some rows."""
    if isinstance(texts, TextsOnDemand):
        return texts.at(rows)
    return (texts[row] for row in rows.tolist())


def arranged(
    corpus: Corpus, order: NDArray[np.int64] | None = None, *, every: bool = True
) -> Iterator[tuple[int | None, Text]]:
    """Yield rows with their texts in some order; without `order`, in that of the input.

    With `every`, blank texts are among them, without a row: in their places, or behind all others where
    there is an `order`.
    """
    import numpy as np

    rows = np.arange(len(corpus)) if order is None else order
    blanks = deque(corpus.blanks if every else ())
    for row, text in zip(_numbers(rows), texts_at(corpus.texts, rows), strict=True):
        while order is None and blanks and blanks[0][0] <= row:
            yield None, blanks.popleft()[1]
        yield row, text
    yield from ((None, text) for _, text in blanks)


def _numbers(rows: NDArray[np.int64]) -> Iterator[int]:
    """Yield some rows, of which there may be more than a list can hold."""
    for start in range(0, len(rows), _AT_ONCE):
        yield from rows[start : start + _AT_ONCE].tolist()


def given_text(text: Text, reader: str) -> str:
    """Return what a `reader`, who needs it, reads of a text.

    Raises `InputError` for a vector that was saved without its text.
    """
    if not text.text:
        raise InputError(
            f"the vector {text.id!r} was saved without its text, and {reader} reads texts",
            hint="save it again with its text, as simil embed -o FILE.jsonl does",
            place=text.origin,
        )
    return text.embedded


def saved_texts(files: Sequence[VectorFile]) -> Sequence[Text]:
    """Return a text for each vector of the files, made when it is asked for; its place is file and number."""
    return _SavedTexts(files)


class _SavedTexts(UnreadTexts):
    def __init__(self, files: Sequence[VectorFile]) -> None:
        self._files = files
        self._ends = list(accumulate(len(file) for file in files))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def text(self, row: int) -> Text:
        which = bisect_right(self._ends, row)
        file = self._files[which]
        own = row - (self._ends[which] - len(file))
        return Text(file.ids[own], file.texts[own] or "", Place(file.source, own + 1), file.fields[own])


def equal_unknown(left: Corpus, right: Corpus) -> Iterator[tuple[int, int]]:
    """Yield the rows of each text of `left` of which the model knows nothing and of its equals in `right`."""
    rows: dict[str, list[int]] = {left.texts[row].embedded: [] for row in left.unknown_rows().tolist()}
    for row, text in enumerate(right.texts if rows else ()):
        if text.embedded in rows:
            rows[text.embedded].append(row)
    for row in left.unknown_rows().tolist():
        for equal in rows[left.texts[row].embedded]:
            yield row, equal

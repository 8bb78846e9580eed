"""Texts that were begun together: what of each is sent, and what becomes of the answers."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from threading import Condition
from typing import TYPE_CHECKING

from simil import similarity
from simil.embedders.base import Piece, TextRejected
from simil.embedders.local.windows import Window
from simil.embedders.openai.requests import EmbeddingRequest
from simil.embedders.openai.retries import Failed
from simil.embedders.openai.tokens import LONGEST_TOKEN, ByteCounter, TokenCounter
from simil.embedders.overflow import Overflow, too_long

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Batch", "Limits"]

# Of a text that the server finds too long, this share of what should fit is sent: it counts its own way.
_SHARE = 0.95


@dataclass(frozen=True, eq=False, slots=True)
class Limits:
    """How long a text may be, and what happens to a longer one.

    `tokens` is None where only the server knows; `model` is how messages call the model; `refused` are texts
    that the server refused before, with what it said.
    """

    model: str
    tokens: int | None
    overflow: Overflow
    refused: dict[str, str] = field(default_factory=dict)


@dataclass(eq=False, slots=True)
class _Row:
    """A text: how many of its parts are still to come, and those that came, with their weights."""

    missing: int
    is_cut: bool = False
    is_over: bool = False
    parts: dict[int, NDArray[np.float32]] = field(default_factory=dict)


class Batch(EmbeddingRequest):
    """An iterator over the pieces of a batch, in the order of the answers.

    `finish` is given each piece by the thread that got it, and returns what is passed on.
    """

    def __init__(
        self, texts: Sequence[str], counter: TokenCounter, limits: Limits, finish: Callable[[Piece], Piece]
    ) -> None:
        """Cut what is known to be too long; the rest is up to the server."""
        self.texts: list[str] = []
        self.sizes: list[int] = []
        self.is_exact = counter.is_exact
        self._counter = counter
        self._limits = limits
        self._finish = finish
        self._row_of: list[int] = []
        self._whole = texts
        self._rows = [_Row(1) for _ in texts]
        self._open = len(texts)
        self._ready: deque[Piece | TextRejected] = deque()
        self._error: BaseException | None = None
        self._changed = Condition()
        sizes = counter.counts(texts)
        for row, (text, size) in enumerate(zip(texts, sizes, strict=True)):
            self._take(row, text, size)

    @property
    def surely_fits(self) -> int | None:
        """The tokens that a text may have for sure, None where only the server knows."""
        return self._limits.tokens

    def __iter__(self) -> Iterator[Piece | TextRejected]:
        try:
            while True:
                with self._changed:
                    self._changed.wait_for(lambda: self._ready or self._error or not self._open)
                    if not self._ready:
                        break
                    item = self._ready.popleft()
                yield item
            if self._error is not None:
                self.has_told = True
                raise self._error
        finally:
            self.is_over = True

    def deliver(self, places: Sequence[int], vectors: NDArray[np.float32]) -> None:
        """Make a piece of the vectors of some parts; see `EmbeddingRequest.deliver`."""
        import numpy as np

        rows = []
        kept = []
        for place, vector in zip(places, vectors, strict=True):
            row = self._rows[self._row_of[place]]
            with self._changed:  # The parts of one text may come in two requests.
                row.missing -= 1
                row.parts[place] = vector
                is_last = row.missing == 0 and not row.is_over
            if is_last:
                rows.append(self._row_of[place])
                kept.append(self._mean(row))
                row.parts = {}
        if rows:
            cut = np.array([self._rows[row].is_cut for row in rows], np.bool_)
            self._pass_on(rows, self._finish(Piece(np.array(rows, np.intp), np.stack(kept), cut)))

    def refuse(self, place: int, failed: Failed) -> Sequence[int]:
        """Send less of a text that is too long; refuse any other one; see `EmbeddingRequest.refuse`."""
        row, text = self._row_of[place], self.texts[place]
        if self._rows[row].is_over:
            return []
        blame, overflow = failed.blame, self._limits.overflow
        fits = self.surely_fits is not None and self.sizes[place] <= self.surely_fits
        if blame is not None and (blame.is_length or (blame.is_size and not fits)):
            limit = self._limits.tokens or blame.limit
            instead = self._shorter(text, self.sizes[place], limit, blame.tokens)
            if instead and overflow is not Overflow.ERROR:
                with self._changed:
                    self._rows[row].missing += len(instead) - 1
                self._rows[row].is_cut |= overflow is not Overflow.CHUNK
                return [self._add(row, part.text, part.tokens) for part in instead]
            refused = too_long(row, self._limits.model, limit, overflow)
        else:
            refused = TextRejected(row, failed.what)
        self._limits.refused[self._whole[row]] = refused.message
        self._reject(row, refused)
        return []

    def fail(self, error: BaseException) -> None:
        """Raise `error` behind what came before it; see `EmbeddingRequest.fail`."""
        with self._changed:
            if not self._open:
                return
            self.is_over = True
            self._error = error
            self._changed.notify_all()

    def _take(self, row: int, text: str, size: int) -> None:
        """Decide what of a text is sent at first."""
        limit, overflow = self._limits.tokens, self._limits.overflow
        said = self._limits.refused.get(text)
        if said is not None:
            self._reject(row, TextRejected(row, said))
        elif not _is_unicode(text):
            self._reject(
                row, TextRejected(row, "the text holds half a surrogate pair, which is no character")
            )
        elif limit is None or size <= limit or not (self.is_exact or size > limit * LONGEST_TOKEN):
            self._add(row, text, size)
        elif overflow is Overflow.ERROR:
            self._reject(row, too_long(row, self._limits.model, limit, overflow))
        elif overflow is Overflow.CHUNK:
            windows = list(self._counter.windows(text, limit))
            assert windows, "a text that is not blank has a window"
            self._rows[row].missing = len(windows)
            for window in windows:
                self._add(row, window.text, window.tokens)
        else:
            self._rows[row].is_cut = True
            most = limit if self.is_exact else limit * LONGEST_TOKEN
            beginning = self._counter.beginning(text, most)
            self._add(row, beginning, most)

    def _shorter(self, text: str, size: int, limit: int | None, told: int | None) -> list[Window]:
        """Return what is sent in place of a text that the server finds too long; nothing where none is left.

        `limit` is how many tokens it takes, `told` how many it counts in the text, where that is known.
        """
        counter = ByteCounter()
        length = counter.counts([text])[0]
        if self._limits.overflow is Overflow.CHUNK:
            most = length // 2 if limit is None or length <= limit else limit
            windows = list(counter.windows(text, most)) if most else []
            # A single character of several bytes is never cut: it must not be sent again and again.
            if any(window.text == text for window in windows):
                return []
            # Counted as the other parts are: tokens are what parts are weighted by.
            counts = self._counter.counts([window.text for window in windows])
            return [Window(window.text, count) for window, count in zip(windows, counts, strict=True)]
        keep = length // 2
        if limit is not None and told is not None and told > limit:
            keep = int(length * limit / told * _SHARE)
        if limit is not None and length > limit:
            keep = max(keep, limit)  # So many bytes fit, whatever they are.
        beginning = counter.beginning(text, min(keep, length - 1))
        return [Window(beginning, min(size, counter.counts([beginning])[0]))] if beginning.strip() else []

    def _mean(self, row: _Row) -> NDArray[np.float32]:
        """Return the vector of a text: of its one part, or the mean of its parts weighted by their tokens."""
        import numpy as np

        # In the order of the text, not of the answers: the last digit of a sum depends on it.
        places = sorted(row.parts)
        if len(places) == 1:
            return row.parts[places[0]]
        vectors = np.stack([row.parts[place] for place in places])
        mean = similarity.weighted_mean(vectors, [self.sizes[place] for place in places])
        unit: NDArray[np.float32] = similarity.unit_or_zero(mean[None])[0]
        return unit

    def _add(self, row: int, text: str, size: int) -> int:
        self.texts.append(text)
        self.sizes.append(size)
        self._row_of.append(row)
        return len(self.texts) - 1

    def _reject(self, row: int, refused: TextRejected) -> None:
        with self._changed:
            self._rows[row].is_over = True
            self._ready.append(refused)
            self._close(1)

    def _pass_on(self, rows: Sequence[int], piece: Piece) -> None:
        with self._changed:
            for row in rows:
                self._rows[row].is_over = True
            self._ready.append(piece)
            self._close(len(rows))

    def _close(self, count: int) -> None:
        self._open -= count
        if not self._open:
            self.is_over = True
        self._changed.notify_all()


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True

"""Texts that were begun together: what is sent of each, and what becomes of the answers."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from threading import Condition
from typing import TYPE_CHECKING

from simil import similarity
from simil.embedders.base import Mark, Piece, TextRejected
from simil.embedders.local.windows import Window
from simil.embedders.openai.retries import RequestFailed
from simil.embedders.openai.tokens import LONGEST_TOKEN, ByteCounter, TokenCounter
from simil.embedders.overflow import Overflow, too_long
from simil.embedders.pieces import marked

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Limits", "TextBatch", "mean_of_parts"]

# The share that is sent of the part of a text that should fit: the server counts tokens in its own way.
_SHARE = 0.95


@dataclass(frozen=True, eq=False, slots=True)
class Limits:
    """How long a text may be, and what happens to a longer one.

    `tokens` is None if only the server knows; `model` is the model's name in messages; `refused` maps
    texts that the server has refused to the reason.
    """

    model: str
    tokens: int | None
    overflow: Overflow
    refused: dict[str, str] = field(default_factory=dict)


@dataclass(eq=False, slots=True)
class _TextState:
    """How many parts of a text are still to come, and the vectors of those that came, by their place."""

    missing: int
    is_cut: bool = False
    is_done: bool = False
    vectors: dict[int, NDArray[np.float32]] = field(default_factory=dict)


class TextBatch:
    """An iterator over the pieces of a batch, in the order of the answers.

    `texts` are the parts to send and `sizes` their tokens, which are upper bounds unless `is_exact`; both
    may grow, and places in them stay valid. `is_over` says that nobody waits for more vectors,
    `has_raised` that the caller knows of the failure. Sending threads call `deliver`, `refuse` and `fail`.
    """

    def __init__(
        self, texts: Sequence[str], counter: TokenCounter, limits: Limits, finish: Callable[[Piece], Piece]
    ) -> None:
        """Cut the texts that are known to be too long; the server decides on the others.

        `finish` is called with each piece by the thread that received it, and returns what is passed on.
        """
        self.texts: list[str] = []
        self.sizes: list[int] = []
        self.is_exact = counter.is_exact
        self.is_over = False
        self.has_raised = False
        self._counter = counter
        self._limits = limits
        self._finish = finish
        self._row_of: list[int] = []
        self._whole = texts
        self._states = [_TextState(1) for _ in texts]
        self._open = len(texts)
        self._ready: deque[Piece | TextRejected] = deque()
        self._error: BaseException | None = None
        self._changed = Condition()
        sizes = counter.counts(texts)
        for row, (text, size) in enumerate(zip(texts, sizes, strict=True)):
            self._prepare(row, text, size)

    @property
    def token_limit(self) -> int | None:
        """How many tokens a text may have; None if only the server knows."""
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
                self.has_raised = True
                raise self._error
        finally:
            self.is_over = True

    def deliver(self, places: Sequence[int], vectors: NDArray[np.float32]) -> None:
        """Take the vectors of some parts; the sender's next request waits until this returns."""
        import numpy as np

        rows = []
        complete = []
        for place, vector in zip(places, vectors, strict=True):
            state = self._states[self._row_of[place]]
            with self._changed:  # Two requests may bring parts of one text.
                state.missing -= 1
                state.vectors[place] = vector
                is_last = state.missing == 0 and not state.is_done
            if is_last:
                rows.append(self._row_of[place])
                complete.append(self._mean(state))
                state.vectors = {}
        if rows:
            cut = np.array([self._states[row].is_cut for row in rows], np.bool_)
            self._pass_on(
                rows, self._finish(Piece(np.array(rows, np.intp), np.stack(complete), marked(cut, Mark.CUT)))
            )

    def refuse(self, place: int, failed: RequestFailed) -> Sequence[int]:
        """Reject a text that the server refuses, or shorten one that is too long.

        Returns the places of what is sent in its place.
        """
        row, text = self._row_of[place], self.texts[place]
        if self._states[row].is_done:
            return []
        blame, overflow = failed.blame, self._limits.overflow
        fits = self.token_limit is not None and self.sizes[place] <= self.token_limit
        if blame is not None and (blame.is_length or (blame.is_size and not fits)):
            limit = self._limits.tokens or blame.limit
            shorter = self._shorter(text, self.sizes[place], limit, blame.tokens)
            if shorter and overflow is not Overflow.ERROR:
                with self._changed:
                    self._states[row].missing += len(shorter) - 1
                self._states[row].is_cut |= overflow is not Overflow.CHUNK
                return [self._add(row, part.text, part.tokens) for part in shorter]
            rejected = too_long(row, self._limits.model, limit, overflow)
        else:
            rejected = TextRejected(row, failed.message)
        self._limits.refused[self._whole[row]] = rejected.message
        self._pass_on([row], rejected)
        return []

    def planned(self) -> Iterator[tuple[int, Sequence[int], bool]]:
        """Yield each text that is to be sent: its row, the places of its parts, and whether it is cut."""
        for row, pairs in groupby(enumerate(self._row_of), key=itemgetter(1)):
            yield row, [place for place, _ in pairs], self._states[row].is_cut

    def fail(self, error: BaseException) -> None:
        """End the batch: `error` is raised after the pieces that are ready."""
        with self._changed:
            if not self._open:
                return
            self.is_over = True
            self._error = error
            self._changed.notify_all()

    def _prepare(self, row: int, text: str, size: int) -> None:
        """Decide what is sent of a text at first."""
        limit, overflow = self._limits.tokens, self._limits.overflow
        reason = self._limits.refused.get(text)
        if reason is not None:
            self._pass_on([row], TextRejected(row, reason))
        elif not _is_unicode(text):
            broken = TextRejected(row, "the text contains half a surrogate pair, which is not a character")
            self._pass_on([row], broken)
        elif limit is None or size <= limit or not (self._counter.decides or size > limit * LONGEST_TOKEN):
            self._add(row, text, size)
        elif overflow is Overflow.ERROR:
            self._pass_on([row], too_long(row, self._limits.model, limit, overflow))
        elif overflow is Overflow.CHUNK:
            windows = list(self._counter.windows(text, limit))
            assert windows, "a text that is not blank has a window"
            self._states[row].missing = len(windows)
            for window in windows:
                self._add(row, window.text, window.tokens)
        else:
            self._states[row].is_cut = True
            most = limit if self._counter.decides else limit * LONGEST_TOKEN
            beginning = self._counter.beginning(text, most)
            self._add(row, beginning, most)

    def _shorter(self, text: str, size: int, limit: int | None, counted: int | None) -> list[Window]:
        """Return what to send in place of a text that the server finds too long, or nothing.

        `limit` is how many tokens the server accepts, `counted` how many it counted; None if unknown.
        """
        counter = ByteCounter()
        length = counter.counts([text])[0]
        if self._limits.overflow is Overflow.CHUNK:
            most = length // 2 if limit is None or length <= limit else limit
            windows = list(counter.windows(text, most)) if most else []
            # A character of several bytes is never cut; do not send it again and again.
            if any(window.text == text for window in windows):
                return []
            # The mean weights parts by their tokens, so count these like the others.
            counts = self._counter.counts([window.text for window in windows])
            return [Window(window.text, count) for window, count in zip(windows, counts, strict=True)]
        keep = length // 2
        if limit is not None and counted is not None and counted > limit:
            keep = int(length * limit / counted * _SHARE)
        if limit is not None and length > limit:
            keep = max(keep, limit)  # A token has at least one byte, so as many bytes as tokens always fit.
        beginning = counter.beginning(text, min(keep, length - 1))
        return [Window(beginning, min(size, counter.counts([beginning])[0]))] if beginning.strip() else []

    def _mean(self, state: _TextState) -> NDArray[np.float32]:
        """Return the vector of a text: that of its only part, or the mean of its parts, by their tokens."""
        # In the order of the text, not of the answers: the last digit of a sum depends on the order.
        places = sorted(state.vectors)
        vectors = [state.vectors[place] for place in places]
        return mean_of_parts(vectors, [self.sizes[place] for place in places])

    def _add(self, row: int, text: str, size: int) -> int:
        self.texts.append(text)
        self.sizes.append(size)
        self._row_of.append(row)
        return len(self.texts) - 1

    def _pass_on(self, rows: Sequence[int], item: Piece | TextRejected) -> None:
        with self._changed:
            for row in rows:
                self._states[row].is_done = True
            self._ready.append(item)
            self._open -= len(rows)
            if not self._open:
                self.is_over = True
            self._changed.notify_all()


def mean_of_parts(vectors: Sequence[NDArray[np.float32]], sizes: Sequence[int]) -> NDArray[np.float32]:
    """Return the vector of a text whose parts, of so many tokens, have these: float32 [dimensions]."""
    import numpy as np

    if len(vectors) == 1:
        return vectors[0]
    mean = similarity.weighted_mean(np.stack(vectors), sizes)
    unit: NDArray[np.float32] = similarity.unit_or_zero(mean[None])[0]
    return unit


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True

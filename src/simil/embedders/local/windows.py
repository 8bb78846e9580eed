"""Cutting texts that are longer than a model reads."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import Any

__all__ = ["Window", "head", "split_windows"]

# More characters a token than any prose has; a beginning of this length nearly always shows that a
# text is too long, without tokenizing all ten megabytes of it.
_CHARACTERS_A_TOKEN = 48


@dataclass(frozen=True, slots=True)
class Window:
    """A part of a text and the number of its tokens."""

    text: str
    tokens: int


def head(text: str, limit: int) -> str:
    """Return a beginning of `text`, cut at white space, that holds more than `limit` tokens of usual text."""
    enough = limit * _CHARACTERS_A_TOKEN
    if len(text) <= enough:
        return text
    for place in range(enough, min(len(text), 2 * enough)):
        # Not `isspace`: that holds for control characters too, which tokenizers drop and read on.
        if text[place] in " \t\r\n":
            return text[:place]
    return text


def split_windows(text: str, tokenizer: Any, limit: int) -> list[Window]:
    """Return `text` in consecutive windows of at most `limit` tokens each (special tokens not counted).

    The windows joined are the text. They end between words where they can, so that no word is read as
    two; a single word longer than a window is cut between characters, and a single character is never
    cut, even where it has more tokens than fit. `tokenizer` must not truncate.
    """
    # A batch of one: unlike `encode`, it lets go of Python's lock, so that Ctrl-C is heeded meanwhile.
    encoding = tokenizer.encode_batch([text], add_special_tokens=False)[0]
    cuts = _Cuts(encoding.offsets, encoding.word_ids)
    windows = []
    start = first = 0
    while start < cuts.count:
        end = cuts.last_within(start, start + limit)
        while True:
            # White space goes before the word that follows it, as tokenizers that keep it expect.
            after = len(text) if end == cuts.count else cuts.place(end)
            tokens = len(tokenizer.encode(text[first:after], add_special_tokens=False).ids)
            if tokens <= limit:
                break
            # On its own the part has more tokens than within the text: its first word was cut.
            shorter = cuts.last_within(start, end - (tokens - limit))
            if shorter >= end:
                break
            end = shorter
        windows.append(Window(text[first:after], tokens))
        start, first = end, after
    return windows


class _Cuts:
    """Where a tokenized text may be cut: before token i, for 0 < i < count, or at its end."""

    def __init__(self, offsets: list[tuple[int, int]], words: list[int | None]) -> None:
        self.count = len(offsets)
        self._words = words
        # Tokens of one character overlap, and normalization may put its tokens in another order.
        self._places = [0, *accumulate((end for _, end in offsets), max)]
        starts = [*accumulate((start for start, _ in reversed(offsets)), min)][::-1]
        self._clean = [
            place <= start for place, start in zip(self._places, [*starts, self._places[-1]], strict=True)
        ]

    def place(self, index: int) -> int:
        """Return where in the text token `index - 1` ends."""
        return self._places[index]

    def last_within(self, start: int, end: int) -> int:
        """Return the last cut in (start, end], between words if it can be; the next one where none is."""
        if end >= self.count:
            return self.count
        inside = [index for index in range(end, start, -1) if self._clean[index]]
        for index in inside:
            if self._words[index] is None or self._words[index] != self._words[index - 1]:
                return index
        if inside:
            return inside[0]
        return next((i for i in range(max(start, end) + 1, self.count) if self._clean[i]), self.count)

"""Splits texts that are longer than a model reads."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import Any

__all__ = ["Window", "split_windows", "sufficient_prefix", "sufficient_suffix"]

# More characters per token than any prose has. A prefix or suffix of this length nearly always shows that a
# text is too long, even one of ten megabytes, without tokenizing all of it.
_CHARACTERS_PER_TOKEN = 48


@dataclass(frozen=True, slots=True)
class Window:
    """A part of a text and the number of its tokens."""

    text: str
    tokens: int


def sufficient_prefix(text: str, limit: int) -> str:
    """Return a prefix of `text`, up to white space, that has more than `limit` tokens in ordinary text."""
    enough = limit * _CHARACTERS_PER_TOKEN
    if len(text) <= enough:
        return text
    for place in range(enough, min(len(text), 2 * enough)):
        # Not `isspace`: it includes control characters, which tokenizers drop without ending a word.
        if text[place] in " \t\r\n":
            return text[:place]
    return text


def sufficient_suffix(text: str, limit: int) -> str:
    """Return a suffix of `text`, from white space on, that has more than `limit` tokens in ordinary text."""
    enough = limit * _CHARACTERS_PER_TOKEN
    for place in range(len(text) - enough, max(len(text) - 2 * enough, 0), -1):
        if text[place] in " \t\r\n":
            return text[place:]
    return text


def split_windows(text: str, tokenizer: Any, limit: int) -> list[Window]:
    """Return `text` in consecutive windows of at most `limit` tokens each, not counting special tokens.

    The windows joined are the text. Windows end between words; only a word that is longer than a window is
    cut, between characters. A character is never cut, even if it has more than `limit` tokens. `tokenizer`
    must not truncate.
    """
    # A batch of one: unlike `encode`, it releases Python's lock, so that Ctrl-C works meanwhile.
    encoding = tokenizer.encode_batch([text], add_special_tokens=False)[0]
    cuts = _CutPoints(encoding.offsets, encoding.word_ids)
    windows = []
    start = first = 0
    while start < cuts.count:
        end = cuts.last_within(start, start + limit)
        while True:
            # White space belongs to the word after it, as in tokenizers that keep white space.
            after = len(text) if end == cuts.count else cuts.place(end)
            tokens = len(tokenizer.encode(text[first:after], add_special_tokens=False).ids)
            if tokens <= limit:
                break
            # The window's first word was cut, so on its own it has more tokens than within the text.
            shorter = cuts.last_within(start, end - (tokens - limit))
            if shorter >= end:
                break
            end = shorter
        windows.append(Window(text[first:after], tokens))
        start, first = end, after
    return windows


class _CutPoints:
    """The places where a tokenized text may be cut: before token i, for 0 < i < count, or at its end."""

    def __init__(self, offsets: list[tuple[int, int]], words: list[int | None]) -> None:
        self.count = len(offsets)
        self._words = words
        # The tokens of one character overlap, and normalization may change their order.
        self._places = [0, *accumulate((end for _, end in offsets), max)]
        starts = [*accumulate((start for start, _ in reversed(offsets)), min)][::-1]
        self._clean = [
            place <= start for place, start in zip(self._places, [*starts, self._places[-1]], strict=True)
        ]

    def place(self, index: int) -> int:
        """Return the index in the text at which token `index - 1` ends."""
        return self._places[index]

    def last_within(self, start: int, end: int) -> int:
        """Return the last cut in (start, end], between words if possible; if there is none, the next one."""
        if end >= self.count:
            return self.count
        inside = [index for index in range(end, start, -1) if self._clean[index]]
        for index in inside:
            if self._words[index] is None or self._words[index] != self._words[index - 1]:
                return index
        if inside:
            return inside[0]
        return next((i for i in range(max(start, end) + 1, self.count) if self._clean[i]), self.count)

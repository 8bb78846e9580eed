"""Cutting texts that are longer than a model reads."""

from __future__ import annotations

from dataclasses import dataclass
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
        if text[place].isspace():
            return text[:place]
    return text


def split_windows(text: str, tokenizer: Any, limit: int) -> list[Window]:
    """Return `text` in consecutive windows of at most `limit` tokens each (special tokens not counted).

    Windows end between words where they can, so that no word is read as two; a single word longer
    than a window is cut between tokens. `tokenizer` must not truncate.
    """
    encoding = tokenizer.encode(text, add_special_tokens=False)
    offsets, words = encoding.offsets, encoding.word_ids
    windows = []
    start = 0
    while start < len(offsets):
        end = min(start + limit, len(offsets))
        if end < len(offsets):
            end = _word_start(words, start, end)
        # The text up to the next window's first token, so that nothing between tokens is lost.
        first = 0 if start == 0 else offsets[start][0]
        after = len(text) if end == len(offsets) else offsets[end][0]
        windows.append(Window(text[first:after], end - start))
        start = end
    return windows


def _word_start(words: list[int | None], start: int, end: int) -> int:
    """Move `end` back to where a word begins; leave it when that word began before `start`."""
    back = end
    while back > start and words[back] is not None and words[back] == words[back - 1]:
        back -= 1
    return back if back > start else end

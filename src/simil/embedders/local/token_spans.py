"""A model's tokens: how many a text has, and where it is cut so that each part has a given number."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from simil.errors import ModelError
from simil.models.catalog import FALLBACK, catalog
from simil.models.files.model_source import embedded_source
from simil.models.files.tokenizer import open_tokenizer, read_tokenizer

__all__ = ["count_tokens", "token_spans"]

_AT_ONCE = 1024


def token_spans(folder: Path | None, tokens: int, overlap: int) -> Callable[[str], Iterator[tuple[int, int]]]:
    """Return a function that gives the windows of a text, each by its first character and the one behind it.

    A window has at most `tokens` tokens, special ones not counted, and begins `overlap` tokens before
    the last one ended, or up to a word earlier: it holds whole words, unless a word is longer than it.
    `folder` holds the model; without one, as for an API, the tokens are those of the embedded model.
    Raises `ModelError` for a model without a tokenizer of a known kind.
    """
    source = folder or embedded_source(catalog()[FALLBACK]).folder
    data = read_tokenizer(source)
    if data is None:
        raise ModelError(
            f"{source.name} has no tokenizer.json to count tokens by", hint="use --chunk paragraphs"
        )
    tokenizer = _whole(data, source.name)

    def spans(text: str) -> Iterator[tuple[int, int]]:
        # A batch of one: unlike `encode`, it lets go of Python's lock, so that Ctrl-C is heeded meanwhile.
        encoding = tokenizer.encode_batch([text], add_special_tokens=False)[0]
        offsets, words = encoding.offsets, encoding.word_ids
        for first, last in _windows(words, tokens, overlap):
            yield offsets[first][0], max(end for _, end in offsets[first:last])

    return spans


def count_tokens(folder: Path, texts: Sequence[str]) -> int | None:
    """Return how many tokens `texts` have for the model in `folder`, None where it has no known tokenizer.

    Special tokens count, and so do those that the model would cut.
    """
    data = read_tokenizer(folder)
    if data is None:
        return None
    tokenizer = _whole(data, folder.name)
    parts = (texts[start : start + _AT_ONCE] for start in range(0, len(texts), _AT_ONCE))
    return sum(len(encoding.ids) for part in parts for encoding in tokenizer.encode_batch([*part]))


def _whole(data: bytes, name: str) -> Any:
    """Return the tokenizer, which cuts and pads nothing."""
    tokenizer = open_tokenizer(data, name, lower_case=False)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _windows(words: Sequence[int | None], size: int, overlap: int) -> Iterator[tuple[int, int]]:
    """Yield windows over tokens that belong to `words`, as (first token, token behind the last)."""
    first = 0
    while first < len(words):
        last = _word_begin(words, first + size, above=first)
        yield first, last
        if last == len(words):
            return
        first = _word_begin(words, last - overlap, above=first)
        if _word_begin(words, first + size, above=first) <= last:
            # A word that does not fit beside what is shared: a window without it would say nothing new.
            first = last


def _word_begin(words: Sequence[int | None], token: int, *, above: int) -> int:
    """Return the last token up to `token`, above another, that begins a word; `token` where none does."""
    if token >= len(words):
        return len(words)
    for index in range(token, above, -1):
        if words[index] is None or words[index] != words[index - 1]:
            return index
    return max(token, above + 1)

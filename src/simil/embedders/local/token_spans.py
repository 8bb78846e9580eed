"""Counts a model's tokens in texts, and splits texts into windows of a given number of tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from simil.errors import ModelError
from simil.models.catalog import FALLBACK, catalog
from simil.models.files.model_source import embedded_source
from simil.models.files.tokenizer import open_tokenizer, stored_tokenizer

__all__ = ["count_tokens", "token_spans"]

_BATCH = 1024


def token_spans(folder: Path | None, tokens: int, overlap: int) -> Callable[[str], Iterator[tuple[int, int]]]:
    """Return a function that yields the windows of a text as (start, end) character indices.

    A window has at most `tokens` tokens, not counting special ones, and consists of whole words, unless a
    word is longer than a window. It starts `overlap` tokens before the end of the previous one, or at the
    start of the word there. `folder` holds the model; None, as for an API, means the embedded model's
    tokenizer. Raises `ModelError` if the model has no tokenizer.json.
    """
    source = folder or embedded_source(catalog()[FALLBACK]).folder
    data = stored_tokenizer(source)
    if data is None:
        raise ModelError(
            f"{source.name} has no tokenizer.json to count tokens with", hint="use --chunk paragraphs"
        )
    tokenizer = _open_unlimited(data, source.name)

    def spans(text: str) -> Iterator[tuple[int, int]]:
        # A batch of one: unlike `encode`, it releases Python's lock, so that Ctrl-C works meanwhile.
        encoding = tokenizer.encode_batch([text], add_special_tokens=False)[0]
        offsets, words = encoding.offsets, encoding.word_ids
        for first, last in _windows(words, tokens, overlap):
            yield offsets[first][0], max(end for _, end in offsets[first:last])

    return spans


def count_tokens(folder: Path, texts: Sequence[str]) -> int | None:
    """Return the number of tokens in `texts` for the model in `folder`, None if it has no tokenizer.json.

    Special tokens count, and so do tokens beyond the model's limit.
    """
    data = stored_tokenizer(folder)
    if data is None:
        return None
    tokenizer = _open_unlimited(data, folder.name)
    parts = (texts[start : start + _BATCH] for start in range(0, len(texts), _BATCH))
    return sum(len(encoding.ids) for part in parts for encoding in tokenizer.encode_batch([*part]))


def _open_unlimited(data: bytes, name: str) -> Any:
    """Return the tokenizer without truncation and padding."""
    tokenizer = open_tokenizer(data, name, lower_case=False)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _windows(words: Sequence[int | None], size: int, overlap: int) -> Iterator[tuple[int, int]]:
    """Yield windows over tokens, given the word of each token, as (start, end) token indices."""
    start = 0
    while start < len(words):
        end = _word_start(words, start + size, above=start)
        yield start, end
        if end == len(words):
            return
        start = _word_start(words, end - overlap, above=start)
        if _word_start(words, start + size, above=start) <= end:
            # The next word does not fit beside the overlap, so this window would add nothing new.
            start = end


def _word_start(words: Sequence[int | None], token: int, *, above: int) -> int:
    """Return the last index in (above, token] at which a word starts; `token` if there is none."""
    if token >= len(words):
        return len(words)
    for index in range(token, above, -1):
        if words[index] is None or words[index] != words[index - 1]:
            return index
    return max(token, above + 1)

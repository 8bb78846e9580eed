"""How many tokens a text has for OpenAI's models, and how much of it fits into a number of them.

tiktoken counts exactly where it is installed and its table is on this machine; nothing is fetched for
it. Without it a count is an upper bound: byte-pair encoding never makes more tokens than a text has
bytes of UTF-8.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from simil.embedders.local.windows import Window, sufficient_prefix

__all__ = ["LONGEST_TOKEN", "ByteCounter", "TiktokenCounter", "TokenCounter", "token_counter"]

# All of OpenAI's embedding models since ada-002 use this encoding.
_ENCODING = "cl100k_base"
_TABLE = "https://openaipublic.blob.core.windows.net/encodings/cl100k_base.tiktoken"
# As tiktoken itself checks it: a table that differs it would delete, and fetch another.
_SHA256 = "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7"
# Bytes in the longest token of that encoding: a text of more than so many to a token is surely too long.
LONGEST_TOKEN = 128
# Where a window would end within a word, it ends at white space in its last part instead.
_LAST_PART = 4
# Characters that are encoded at a time.
_PART = 200_000


class TokenCounter(ABC):
    """Counts tokens; `is_exact` says whether a count may be too high."""

    is_exact: bool

    @abstractmethod
    def counts(self, texts: Sequence[str]) -> list[int]:
        """Return the tokens of each text, or an upper bound; of a text far beyond any limit a lower one."""

    @abstractmethod
    def beginning(self, text: str, tokens: int) -> str:
        """Return the longest beginning of `text` that is known to have at most so many tokens."""

    def windows(self, text: str, tokens: int) -> Iterator[Window]:
        """Yield `text` in windows of at most `tokens`, which end at white space where they can."""
        while text:
            part = self.beginning(text, tokens) or text[0]
            if len(part) < len(text):
                tail = part[len(part) - len(part) // _LAST_PART :]
                end = max((place for place, c in enumerate(tail) if c.isspace()), default=None)
                if end is not None:
                    part = part[: len(part) - len(tail) + end + 1]
            if part.strip():
                yield Window(part, self.counts([part])[0])
            text = text[len(part) :]


class ByteCounter(TokenCounter):
    """Counts the bytes of UTF-8: no encoding over bytes makes more tokens of them."""

    is_exact = False

    def counts(self, texts: Sequence[str]) -> list[int]:
        """Return the bytes of each text; see `TokenCounter.counts`."""
        return [len(text.encode("utf-8", "surrogatepass")) for text in texts]

    def beginning(self, text: str, tokens: int) -> str:
        """Return what of `text` fits into so many bytes."""
        return text[:tokens].encode()[:tokens].decode(errors="ignore")


class TiktokenCounter(TokenCounter):
    """Counts as OpenAI does, with its own library."""

    is_exact = True

    def __init__(self, limit: int) -> None:
        """Take the most tokens that matter: of longer texts only a beginning is looked at."""
        import tiktoken

        self._encoding: Any = tiktoken.get_encoding(_ENCODING)
        self._limit = limit

    def counts(self, texts: Sequence[str]) -> list[int]:
        """Return the tokens of each text; see `TokenCounter.counts`."""
        # What looks like a special token is ordinary text to the API.
        seen = [sufficient_prefix(text, self._limit) for text in texts]
        counts = [len(tokens) for tokens in self._encoding.encode_ordinary_batch(seen)]
        for place, text in enumerate(texts):
            if len(seen[place]) < len(text) and counts[place] <= self._limit:
                counts[place] = len(self._encoded(text))
        return counts

    def beginning(self, text: str, tokens: int) -> str:
        """Return the longest beginning of at most so many tokens; see `TokenCounter.beginning`."""
        start = sufficient_prefix(text, tokens)
        encoded = self._encoding.encode_ordinary(start)
        if len(encoded) <= tokens and len(start) < len(text):
            start, encoded = text, self._encoded(text)
        kept = tokens
        while len(encoded) > tokens:
            # Cut off, a text may have other tokens at its end, and more.
            start = self._encoding.decode_bytes(encoded[:kept]).decode(errors="ignore")
            encoded = self._encoding.encode_ordinary(start)
            kept -= 1
        return start

    def _encoded(self, text: str) -> list[int]:
        """Return the tokens of a long text by its parts: tiktoken panics at a million blanks in a row."""
        parts = (text[start : start + _PART] for start in range(0, len(text), _PART))
        return [token for part in parts for token in self._encoding.encode_ordinary(part)]


def token_counter(limit: int) -> TokenCounter:
    """Return the exact counter where its library and table are here, else the one by bytes."""
    if not _table_is_here():
        return ByteCounter()
    try:
        return TiktokenCounter(limit)
    except (ImportError, OSError, ValueError):  # Not installed, or gone meanwhile.
        return ByteCounter()


def _table_is_here() -> bool:
    """Return whether tiktoken would find its table, whole; it looks where these variables say."""
    folder = os.environ.get("TIKTOKEN_CACHE_DIR", os.environ.get("DATA_GYM_CACHE_DIR"))
    if folder is None:
        folder = str(Path(tempfile.gettempdir(), "data-gym-cache"))
    path = Path(folder, hashlib.sha1(_TABLE.encode()).hexdigest())
    try:
        return bool(folder) and hashlib.sha256(path.read_bytes()).hexdigest() == _SHA256
    except OSError:
        return False

"""How many tokens a text has for OpenAI's models, and how much of it fits into a number of tokens.

tiktoken counts exactly if it is installed and its table is on this machine; the table is never
downloaded. Without tiktoken a count is an upper bound: byte-pair encoding never makes more tokens than
the text has bytes in UTF-8.
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
from simil.errors import ExtraMissing, ModelError

__all__ = [
    "ENCODINGS",
    "LONGEST_TOKEN",
    "ByteCounter",
    "TiktokenCounter",
    "TokenCounter",
    "encoding_counter",
    "token_counter",
]

# All of OpenAI's embedding models since ada-002 use this encoding.
_ENCODING = "cl100k_base"
_TABLES = "https://openaipublic.blob.core.windows.net/encodings/{}.tiktoken"
# The hashes that tiktoken itself checks: it would delete a table that differs, and download another.
ENCODINGS = {
    "cl100k_base": "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
    "o200k_base": "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
    "p50k_base": "94b5ca7dff4d00767bc256fdd1b27e5b17361d7b8a5f968547f9f23eb70d2069",
    "r50k_base": "306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930",
}
# Bytes in the longest token of that encoding: a text with more bytes per token of the limit is too long.
LONGEST_TOKEN = 128
# A window that would end within a word ends at white space in its last quarter instead.
_LAST_PART = 4
# Characters encoded at a time.
_PART = 200_000


class TokenCounter(ABC):
    """Counts tokens; unless `is_exact`, a count may be too high."""

    is_exact: bool

    @property
    def decides(self) -> bool:
        """Whether a text is too long if it is by this count; else a server decides."""
        return self.is_exact

    @abstractmethod
    def counts(self, texts: Sequence[str]) -> list[int]:
        """Return the tokens of each text, or an upper bound; for a text far over any limit, a lower bound."""

    @abstractmethod
    def beginning(self, text: str, tokens: int) -> str:
        """Return the longest beginning of `text` that is known to have at most `tokens`."""

    def windows(self, text: str, tokens: int) -> Iterator[Window]:
        """Yield `text` in windows of at most `tokens`, which end at white space if possible."""
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
    """Counts the bytes in UTF-8: no byte-pair encoding makes more tokens than that."""

    is_exact = False

    def __init__(self, *, decides: bool = False) -> None:
        """Let the bound decide, where the server does not say that a text is too long, but cuts it."""
        self._decides = decides

    @property
    def decides(self) -> bool:
        """See `TokenCounter.decides`."""
        return self._decides

    def counts(self, texts: Sequence[str]) -> list[int]:
        """Return the bytes of each text; see `TokenCounter.counts`."""
        return [len(text.encode("utf-8", "surrogatepass")) for text in texts]

    def beginning(self, text: str, tokens: int) -> str:
        """Return the beginning of `text` that fits into `tokens` bytes."""
        return text[:tokens].encode()[:tokens].decode(errors="ignore")


class TiktokenCounter(TokenCounter):
    """Counts as OpenAI does, with OpenAI's own library."""

    is_exact = True

    def __init__(self, limit: int | None, encoding: str = _ENCODING) -> None:
        """`limit` is the most tokens that matter: of longer texts only a beginning is counted."""
        import tiktoken

        self._encoding: Any = tiktoken.get_encoding(encoding)
        self._limit = limit

    def counts(self, texts: Sequence[str]) -> list[int]:
        """Return the tokens of each text; see `TokenCounter.counts`."""
        # The API treats what looks like a special token as ordinary text.
        if self._limit is None:
            return [len(self._encoded(text)) for text in texts]
        seen = [sufficient_prefix(text, self._limit) for text in texts]
        counts = [len(tokens) for tokens in self._encoding.encode_ordinary_batch(seen)]
        for place, text in enumerate(texts):
            if len(seen[place]) < len(text) and counts[place] <= self._limit:
                counts[place] = len(self._encoded(text))
        return counts

    def beginning(self, text: str, tokens: int) -> str:
        """Return the longest beginning of at most `tokens`; see `TokenCounter.beginning`."""
        start = sufficient_prefix(text, tokens)
        encoded = self._encoding.encode_ordinary(start)
        if len(encoded) <= tokens and len(start) < len(text):
            start, encoded = text, self._encoded(text)
        kept = tokens
        while len(encoded) > tokens:
            # The end of a cut text may be encoded differently, with more tokens.
            start = self._encoding.decode_bytes(encoded[:kept]).decode(errors="ignore")
            encoded = self._encoding.encode_ordinary(start)
            kept -= 1
        return start

    def _encoded(self, text: str) -> list[int]:
        """Return the tokens of a long text, by parts: tiktoken panics at a million blanks in a row."""
        parts = (text[start : start + _PART] for start in range(0, len(text), _PART))
        return [token for part in parts for token in self._encoding.encode_ordinary(part)]


def token_counter(limit: int) -> TokenCounter:
    """Return the exact counter if its library and table are here, else the one that counts bytes."""
    if not _table_is_here(_ENCODING):
        return ByteCounter()
    try:
        return TiktokenCounter(limit)
    except (ImportError, OSError, ValueError):  # Not installed, or deleted in the meantime.
        return ByteCounter()


def encoding_counter(encoding: str, limit: int | None) -> TokenCounter:
    """Return the counter of one of the `ENCODINGS`; raises `ModelError` if it is not on this machine."""
    if not _table_is_here(encoding):
        raise ModelError(
            f"tiktoken's table of {encoding} is not on this machine",
            hint="let tiktoken load it once, or name another --tokenizer; TIKTOKEN_CACHE_DIR is its folder",
        )
    try:
        return TiktokenCounter(limit, encoding)
    except ImportError as exc:
        raise ExtraMissing(f"{encoding} comes with tiktoken, which is not installed", extra="openai") from exc


def _table_is_here(encoding: str) -> bool:
    """Return whether tiktoken would find its table intact, in the folder that these variables name."""
    folder = os.environ.get("TIKTOKEN_CACHE_DIR", os.environ.get("DATA_GYM_CACHE_DIR"))
    if folder is None:
        folder = str(Path(tempfile.gettempdir(), "data-gym-cache"))
    path = Path(folder, hashlib.sha1(_TABLES.format(encoding).encode()).hexdigest())
    try:
        return bool(folder) and hashlib.sha256(path.read_bytes()).hexdigest() == ENCODINGS[encoding]
    except OSError:
        return False

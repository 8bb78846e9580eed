"""What counts tokens for a server whose model only the user knows: `--tokenizer FILE|NAME`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any

from simil.embedders.local.windows import sufficient_prefix
from simil.embedders.openai.tokens import ENCODINGS, ByteCounter, TokenCounter, encoding_counter
from simil.errors import Place, SimilError, UsageError
from simil.frozen import Frozen
from simil.models.files.tokenizer import open_tokenizer, stored_tokenizer

__all__ = ["BY_BYTES", "TokenizerChoice", "TokenizerCounter", "choose_tokenizer"]

_FILE = "tokenizer.json"
# Normalization makes up to 18 characters of one that has 3 bytes, and special tokens come on top.
_TOKENS_OF_A_BYTE = 8
_BATCH = 1024


class TokenizerChoice(Frozen):
    """A tokenizer that is not open yet.

    `identity` differs between tokenizers that count differently. `open` gets the most tokens that matter,
    None for all; of a text, no byte has more than `tokens_of_a_byte`.
    """

    identity: str
    open: Callable[[int | None], TokenCounter]
    tokens_of_a_byte: int = 1


# A server that cuts silently does not say that a text is too long: the bound decides.
BY_BYTES = TokenizerChoice("bytes", lambda limit: ByteCounter(decides=True))


class TokenizerCounter(TokenCounter):
    """Counts as the library tokenizers does, with the special tokens that it adds to each text."""

    is_exact = True

    def __init__(self, data: bytes, name: str, limit: int | None) -> None:
        """`data` is a tokenizer.json; of texts far over `limit` tokens only a beginning is counted."""
        tokenizer = open_tokenizer(data, name, lower_case=False)
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self._tokenizer: Any = tokenizer
        self._special = int(tokenizer.num_special_tokens_to_add(False))
        self._limit = limit

    def counts(self, texts: Sequence[str]) -> list[int]:
        """Return the tokens of each text; see `TokenCounter.counts`."""
        limit = self._limit
        seen = texts if limit is None else [sufficient_prefix(text, limit) for text in texts]
        counts = []
        for start in range(0, len(seen), _BATCH):
            encodings = self._tokenizer.encode_batch_fast([*seen[start : start + _BATCH]])
            counts += [len(encoding.ids) for encoding in encodings]
        for place, text in enumerate(texts):
            if limit is not None and len(seen[place]) < len(text) and counts[place] <= limit:
                counts[place] = len(self._tokenizer.encode(text).ids)
        return counts

    def beginning(self, text: str, tokens: int) -> str:
        """Return the longest beginning of at most `tokens`; see `TokenCounter.beginning`."""
        start = sufficient_prefix(text, tokens)
        encoding = self._tokenizer.encode(start, add_special_tokens=False)
        room = tokens - self._special
        if len(encoding.ids) <= room and len(start) < len(text):
            start, encoding = text, self._tokenizer.encode(text, add_special_tokens=False)
        if len(encoding.ids) <= room:
            return start
        # The tokens of one character overlap, and normalization may change their order.
        ends = [*accumulate((end for _, end in encoding.offsets), max)]
        for kept in range(room, 0, -1):
            start = text[: ends[kept - 1]]
            # The end of a cut text may be tokenized differently, with more tokens.
            if self.counts([start])[0] <= tokens:
                return start
        return ""


def choose_tokenizer(named: str) -> TokenizerChoice:
    """Return the tokenizer that `named` means: a file, an encoding of tiktoken, or a model's.

    Makes no network request. Raises `UsageError` if there is none on this machine.
    """
    if named in ENCODINGS:
        return TokenizerChoice(named, partial(encoding_counter, named))
    path = Path(named).expanduser()
    data = _read(path) if path.is_file() else _of_model(named)
    # A tokenizer that is wrong is told before anything is sent.
    TokenizerCounter(data, named, None)
    digest = hashlib.sha256(data).hexdigest()
    return TokenizerChoice(digest, partial(TokenizerCounter, data, named), _TOKENS_OF_A_BYTE)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        raise UsageError(f"cannot be read: {exc.strerror or exc}", place=Place(str(path))) from exc


def _of_model(named: str) -> bytes:
    from simil.models.resolve import resolve
    from simil.models.select import find_local

    try:
        folder = Path(named).expanduser()
        if (folder / _FILE).is_file():
            data = stored_tokenizer(folder)
        else:
            source = find_local(resolve(named))
            data = None if source is None else stored_tokenizer(source.folder)
    except SimilError as exc:
        raise UsageError(f"--tokenizer {named}: {exc.message}", hint=exc.hint or _HINT) from exc
    if data is None:
        raise UsageError(f"--tokenizer {named} is not on this machine", hint=_HINT)
    return data


_HINT = f"name a {_FILE}, a model that simil models shows as here, or one of {', '.join(ENCODINGS)}"

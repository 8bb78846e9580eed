"""Turns texts into the tokens that a model reads: prompt, special tokens, and the cut of long texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from threading import Lock
from typing import TYPE_CHECKING, Any

from simil.embedders.local.token_arrays import TokenArrays
from simil.embedders.local.unknown_texts import UnknownTexts
from simil.embedders.local.windows import Window, split_windows, sufficient_prefix, sufficient_suffix
from simil.embedders.pieces import Mark, marked

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["EncodedTexts", "TextEncoder"]


@dataclass(frozen=True, eq=False, slots=True)
class EncodedTexts:
    """Texts as a model reads them.

    `tokens` are those of prompt and text, special ones too, within the limit. `marks` uint8 [texts] say which
    texts were cut, and of which the model knows nothing. `shortened` intp [n] are the places of the texts of
    which a part showed that they are cut; the rest was never tokenized.
    """

    tokens: TokenArrays
    marks: NDArray[np.uint8]
    shortened: NDArray[np.intp]

    def __len__(self) -> int:
        """Return the number of texts."""
        return len(self.marks)

    @property
    def cut(self) -> NDArray[np.bool_]:
        """Which texts are longer than the limit."""
        cut: NDArray[np.bool_] = self.marks & Mark.CUT != 0
        return cut

    @classmethod
    def joined(cls, parts: Sequence[EncodedTexts]) -> EncodedTexts:
        """Return the texts of all `parts`, of which there is at least one, in order."""
        import numpy as np

        firsts = np.cumsum([0, *map(len, parts)])
        return cls(
            TokenArrays.joined([part.tokens for part in parts]),
            np.concatenate([part.marks for part in parts]),
            np.concatenate([part.shortened + first for part, first in zip(parts, firsts, strict=False)]),
        )

    def take(self, rows: NDArray[np.intp] | Sequence[int]) -> EncodedTexts:
        """Return the texts at `rows`, which are in ascending order."""
        import numpy as np

        shortened = np.flatnonzero(np.isin(rows, self.shortened))
        return EncodedTexts(self.tokens.take(rows), self.marks[rows], shortened)


class TextEncoder:
    """A model's tokenizer, set to texts of at most so many tokens; several threads may use it."""

    def __init__(self, tokenizer: Any, limit: int | None) -> None:
        """Take a `tokenizers.Tokenizer` or `BoundedTokenizer`, which stays as it is set here.

        `limit` counts special tokens too; None means no limit. The tokenizer's own truncation says whether a
        text that is too long loses its end or its start.
        """
        self._tokenizer = tokenizer
        self.limit = limit
        self._cut_side = (tokenizer.truncation or {}).get("direction", "right")
        self._unknown = UnknownTexts(tokenizer)
        # Held while it is used: to split a text, truncation is turned off for a moment.
        self._lock = Lock()
        tokenizer.no_padding()
        self._truncate()

    @classmethod
    def from_bytes(cls, data: bytes) -> TextEncoder:
        """Return an encoder like the one of which `to_bytes` returned `data`."""
        import json

        from simil.models.files.tokenizer import open_tokenizer

        given = json.loads(data)
        tokenizer = open_tokenizer(given["tokenizer"].encode(), given["stamp"], lower_case=False)
        return cls(tokenizer, given["limit"])

    def to_bytes(self) -> bytes:
        """Return all that it takes to make the same encoder in another process."""
        import json

        with self._lock:
            tokenizer = self._tokenizer.to_str()
        return json.dumps({"tokenizer": tokenizer, "limit": self.limit, "stamp": "the model"}).encode()

    def encode(self, prompt: str, texts: Sequence[str]) -> EncodedTexts:
        """Return `prompt` + each text as tokens; raises `ModelError` if the tokenizer fails."""
        import numpy as np

        parts = [self.part_read(text) for text in texts] if self._some_are_long(texts) else list(texts)
        with self._lock:
            encodings = self._encodings([prompt + part for part in parts] if prompt else parts)
            shortened = [row for row, part in enumerate(parts) if len(part) < len(texts[row])]
            for row in shortened:
                # That a part fits does not mean that the text does: tokenize all of it.
                if not encodings[row].overflowing:
                    parts[row] = texts[row]
                    encodings[row] = self._encodings([prompt + texts[row]])[0]
        tokens = _token_arrays(encodings)
        cut = np.fromiter((bool(encoding.overflowing) for encoding in encodings), np.bool_, len(encodings))
        marks = marked(cut, Mark.CUT) | self._unknown.marks(prompt, tokens)
        still = [row for row in shortened if parts[row] is not texts[row]]
        return EncodedTexts(tokens, marks, np.array(still, np.intp))

    def part_read(self, text: str) -> str:
        """Return as much of `text` as nearly always shows that it is cut: it may be of ten megabytes."""
        if self.limit is None:
            return text
        return (sufficient_suffix if self._cut_side == "left" else sufficient_prefix)(text, self.limit)

    def prompt_tokens(self, prompt: str) -> int:
        """Count as sentence-transformers does: with the leading special tokens, without the trailing one."""
        encoding = self._tokenizer.encode(prompt)
        return len(encoding.ids) - int(encoding.special_tokens_mask[-1:] == [1])

    def windows(self, prompt: str, text: str) -> list[Window]:
        """Return a text in windows that fit behind `prompt`; there has to be a limit."""
        assert self.limit is not None
        with self._lock:
            self._tokenizer.no_truncation()
            try:
                # By the prompt and the special tokens.
                taken = len(self._tokenizer.encode(prompt).ids)
                return split_windows(text, self._tokenizer, max(self.limit - taken, 1))
            finally:
                self._truncate()

    def _some_are_long(self, texts: Sequence[str]) -> bool:
        # No part is shorter than a token a character.
        return self.limit is not None and max(map(len, texts), default=0) > self.limit

    def _encodings(self, texts: Sequence[str]) -> list[Any]:
        return list(self._tokenizer.encode_batch_fast(texts))

    def _truncate(self) -> None:
        if self.limit:
            self._tokenizer.enable_truncation(self.limit, direction=self._cut_side)
        else:
            self._tokenizer.no_truncation()


def _token_arrays(encodings: Sequence[Any]) -> TokenArrays:
    import numpy as np

    lengths = np.fromiter(map(len, encodings), np.int32, len(encodings))
    ids = chain.from_iterable(encoding.ids for encoding in encodings)
    return TokenArrays(np.fromiter(ids, np.int32, int(lengths.sum())), lengths)

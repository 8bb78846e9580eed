"""Tokenizes pairs of texts as transformers does, and cuts those that are longer than the model reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from simil.embedders.local.windows import sufficient_prefix
from simil.models.files.tokenizer import BoundedTokenizer
from simil.scorers.base import Pair

__all__ = ["PairTokenizer"]


class PairTokenizer:
    """A model's tokenizer, set to pairs of at most so many tokens."""

    def __init__(self, tokenizer: BoundedTokenizer, limit: int | None, prompt: str) -> None:
        """Take a `BoundedTokenizer`, which stays as it is set here; `prompt` comes before first texts.

        `limit` counts special tokens too; None means no limit.
        """
        side = (tokenizer.truncation or {}).get("direction", "right")
        tokenizer.no_padding()
        tokenizer.no_truncation()
        if limit is not None:
            # Each time a token goes, it is one of the text that then is the longer.
            tokenizer.enable_truncation(limit, strategy="longest_first", direction=side)
        self._tokenizer = tokenizer
        self._prompt = prompt
        self.limit = limit
        self._cuts_ends = side == "right"
        # If both texts have so many tokens, the result depends on which of them has more.
        self._half = max((limit or 0) - tokenizer.num_special_tokens_to_add(True), 0) // 2

    def encode(self, pairs: Sequence[Pair]) -> list[Any]:
        """Return the encoding of each pair; one that had to be cut has `overflowing` ones."""
        whole = [(self._prompt + first, second) for first, second in pairs]
        given = [self._prefixes(pair) for pair in whole]
        encodings: list[Any] = self._tokenizer.encode_pairs_fast(given)
        for index, pair in enumerate(whole):
            if given[index] != pair and not self._suffices(encodings[index]):
                encodings[index] = self._tokenizer.encode_pairs_fast([pair])[0]
        return encodings

    def _prefixes(self, pair: Pair) -> Pair:
        """Return as much of each text as nearly always decides: a text may be of ten megabytes."""
        if self.limit is None or not self._cuts_ends:
            return pair
        return sufficient_prefix(pair[0], self.limit), sufficient_prefix(pair[1], self.limit)

    def _suffices(self, encoding: Any) -> bool:
        """Say whether the encoding of a pair's prefixes is that of the pair.

        It is if the longer text had to be cut and the other is so short that it does not matter how long.
        """
        texts = encoding.sequence_ids
        return bool(encoding.overflowing) and min(texts.count(0), texts.count(1)) < self._half

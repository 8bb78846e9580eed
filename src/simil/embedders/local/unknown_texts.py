"""Recognizes texts of which a model knows nothing, as emoji to one for English."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simil.embedders.local.token_arrays import TokenArrays
from simil.embedders.pieces import Mark, marked
from simil.models.files.tokenizer import meaningless_ids

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["UnknownTexts"]


class UnknownTexts:
    """Marks texts that add nothing to their prompt, or only the token for what the model does not know."""

    def __init__(self, tokenizer: Any, *, special_tokens: bool = True) -> None:
        """Take the model's `tokenizers.Tokenizer`; `special_tokens` says whether texts are given any."""
        self._tokenizer = tokenizer
        self._special_tokens = special_tokens
        self._meaningless = meaningless_ids(tokenizer)
        # How many tokens with a meaning there are in an empty text after each prompt.
        self._in_prompt: dict[str, int] = {}

    def marks(self, prompt: str, tokens: TokenArrays) -> NDArray[np.uint8]:
        """Return the marks of texts, given all tokens of `prompt` and text; uint8 [texts]."""
        if prompt not in self._in_prompt:
            encoding = self._tokenizer.encode(prompt, add_special_tokens=self._special_tokens)
            self._in_prompt[prompt] = int(self._counts(TokenArrays.of([encoding.ids]))[0])
        return marked(self._counts(tokens) <= self._in_prompt[prompt], Mark.UNKNOWN)

    def _counts(self, tokens: TokenArrays) -> NDArray[np.intp]:
        """Return how many tokens of each text have a meaning."""
        import numpy as np

        meaningless = np.zeros(len(tokens.ids), np.bool_)
        for token in self._meaningless:
            meaningless |= tokens.ids == token
        return tokens.lengths - tokens.counts(meaningless)

"""Recognizes texts of which a model knows nothing, as emoji to one for English."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

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

    def marks(self, prompt: str, texts: Iterable[Sequence[int]]) -> NDArray[np.uint8]:
        """Return the marks of texts, given the ids of all tokens of `prompt` and text; uint8 [texts]."""
        import numpy as np

        if prompt not in self._in_prompt:
            encoding = self._tokenizer.encode(prompt, add_special_tokens=self._special_tokens)
            self._in_prompt[prompt] = self._count(encoding.ids)
        least = self._in_prompt[prompt]
        return marked(np.array([self._count(ids) <= least for ids in texts], np.bool_), Mark.UNKNOWN)

    def _count(self, ids: Sequence[int]) -> int:
        """Return how many tokens have a meaning."""
        return len(ids) - sum(map(ids.count, self._meaningless))

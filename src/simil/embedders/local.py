"""What both local engines do alike: prompts, and texts that are longer than the model reads."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from simil import similarity
from simil.embedders.base import Embedder, Kind, TextRejected
from simil.embedders.windows import Window, head, split_windows

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["LocalEmbedder", "LocalModel", "Overflow"]


class Overflow(StrEnum):
    """What happens to a text with more tokens than the model reads.

    `warn` and `truncate` embed its beginning (the command line then says so, or does not), `error`
    refuses it, `chunk` gives the mean of the vectors of its windows, weighted by their tokens.
    """

    WARN = "warn"
    TRUNCATE = "truncate"
    ERROR = "error"
    CHUNK = "chunk"


@dataclass(frozen=True, slots=True)
class LocalModel:
    """What an engine is told of its model: its name in outputs, prompts by kind, what overflow means."""

    stamp: str
    prompts: Mapping[Kind, str]
    overflow: Overflow


class LocalEmbedder(Embedder):
    """An engine on this machine; it tokenizes with `tokenizer` and computes in `_vectors`."""

    def __init__(self, model: LocalModel, tokenizer: Any | None, max_tokens: int | None) -> None:
        """Take a `tokenizers.Tokenizer`; None leaves limits to a model that has another kind.

        `max_tokens` counts special tokens too; None is no limit.
        """
        self.stamp = model.stamp
        self.truncated = 0
        self._model = model
        self._tokenizer = tokenizer
        self._limit = max_tokens if tokenizer is not None else None
        if tokenizer is not None:
            tokenizer.no_padding()
            tokenizer.no_truncation()
            if self._limit:
                tokenizer.enable_truncation(self._limit)

    @abstractmethod
    def _vectors(
        self, prompt: str, texts: Sequence[str], encodings: Sequence[Any] | None
    ) -> NDArray[np.float32]:
        """Return what the model's chain gives for `prompt` + each text, cut at the limit."""

    def embed_batch(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed in the model's symmetric form; see `Embedder.embed_batch`."""
        return self.embed_batch_as(Kind.SYMMETRIC, texts)

    def embed_batch_as(self, kind: Kind, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed with the prompt that the model wants for `kind`."""
        prompt = self._model.prompts.get(kind, "")
        if self._tokenizer is None:
            return self._vectors(prompt, texts, None)
        encodings, seen = self._encode(prompt, texts)
        for index, encoding in enumerate(encodings):
            if len(encoding) == 0:
                raise TextRejected(index, f"the text has nothing that {self.stamp} reads")
        long = [index for index, encoding in enumerate(encodings) if encoding.overflowing]
        if not long:
            return self._vectors(prompt, seen, encodings)
        if self._model.overflow is Overflow.ERROR:
            hint = "use --overflow truncate or chunk"
            raise TextRejected(
                long[0],
                f"the text is longer than the {self._limit} tokens that {self.stamp} reads",
                hint=hint,
            )
        vectors = self._vectors(prompt, seen, encodings)
        if self._model.overflow is not Overflow.CHUNK:
            self.truncated += len(long)
            return vectors
        for index in long:
            vectors[index] = self._vector_of_windows(prompt, texts[index])
        return vectors

    def _encode(self, prompt: str, texts: Sequence[str]) -> tuple[list[Any], list[str]]:
        """Tokenize; beside the encodings, return as much of each text as it took to know them."""
        assert self._tokenizer is not None
        seen = [text if self._limit is None else head(text, self._limit) for text in texts]
        encodings = list(self._tokenizer.encode_batch([prompt + part for part in seen]))
        for index, text in enumerate(texts):
            # A beginning that fits does not show whether the rest does; look at the whole text.
            if len(seen[index]) < len(text) and not encodings[index].overflowing:
                seen[index] = text
                encodings[index] = self._tokenizer.encode_batch([prompt + text])[0]
        return encodings, seen

    def _vector_of_windows(self, prompt: str, text: str) -> NDArray[np.float32]:
        windows = self._windows(prompt, text)
        parts = [window.text for window in windows]
        vectors = self._vectors(prompt, parts, self._encode(prompt, parts)[0])
        mean = similarity.weighted_mean(vectors, [window.tokens for window in windows])
        return similarity.unit_or_zero(mean[None])[0] if self._normalizes() else mean

    def _windows(self, prompt: str, text: str) -> list[Window]:
        assert self._tokenizer is not None and self._limit is not None
        self._tokenizer.no_truncation()
        try:
            around = len(self._tokenizer.encode(prompt).ids)
            return split_windows(text, self._tokenizer, max(self._limit - around, 1))
        finally:
            self._tokenizer.enable_truncation(self._limit)

    @abstractmethod
    def _normalizes(self) -> bool:
        """Say whether the chain ends in vectors of length 1."""

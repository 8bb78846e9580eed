"""What both local engines do alike: prompts, and texts that are longer than the model reads."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from simil import similarity
from simil.embedders.base import Embedder, Kind, Piece, TextRejected, moved, raised
from simil.embedders.local.windows import Window, head, split_windows
from simil.embedders.overflow import Overflow, nothing_read, too_long

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["LocalEmbedder", "LocalModel"]


@dataclass(frozen=True, slots=True)
class LocalModel:
    """What an engine is told of its model: its name in outputs, prompts by kind, what overflow means."""

    stamp: str
    prompts: Mapping[Kind, str]
    overflow: Overflow


class LocalEmbedder(Embedder):
    """An engine on this machine; it tokenizes with `tokenizer` and computes in `_start`."""

    def __init__(self, model: LocalModel, tokenizer: Any | None, max_tokens: int | None) -> None:
        """Take a `tokenizers.Tokenizer`; None leaves limits to a model that has another kind.

        `max_tokens` counts special tokens too; None is no limit.
        """
        self.stamp = model.stamp
        self._model = model
        self._tokenizer = tokenizer
        self._limit = max_tokens if tokenizer is not None else None
        if tokenizer is not None:
            tokenizer.no_padding()
            tokenizer.no_truncation()
            if self._limit:
                tokenizer.enable_truncation(self._limit)

    @abstractmethod
    def _start(
        self, prompt: str, texts: Sequence[str], encodings: Sequence[Any] | None
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float32]]]:
        """Begin to compute what the model's chain gives for `prompt` + each text, cut at the limit.

        The iterator yields rows and their vectors as they get ready, in any order.
        """

    @abstractmethod
    def _normalizes(self) -> bool:
        """Say whether the chain ends in vectors of length 1."""

    def embed_batch(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed in the model's symmetric form; see `Embedder.embed_batch`."""
        return self._collected(self.start_batch(Kind.SYMMETRIC, texts), len(texts), raised)[0]

    def start_batch(self, kind: Kind, texts: Sequence[str]) -> Iterator[Piece | TextRejected]:
        """Begin to embed with the prompt that the model wants for `kind`; see `Embedder.start_batch`."""
        import numpy as np

        prompt = self._model.prompts.get(kind, "")
        if self._tokenizer is None:
            return self._pieces(self._start(prompt, texts, None), np.zeros(len(texts), np.bool_))
        encodings, seen = self._encode(prompt, texts)
        refused = list(self._refused(encodings))
        if not refused:
            return self._begun(prompt, texts, seen, encodings)
        wrong = {exc.index for exc in refused}
        rows = [row for row in range(len(texts)) if row not in wrong]
        if not rows:
            return iter(refused)
        kept = ([each[row] for row in rows] for each in (texts, seen, encodings))
        return chain(refused, moved(self._begun(prompt, *kept), rows))

    def _refused(self, encodings: Sequence[Any]) -> Iterator[TextRejected]:
        for index, encoding in enumerate(encodings):
            if len(encoding) == 0:
                yield nothing_read(index, self.stamp)
            elif self._model.overflow is Overflow.ERROR and encoding.overflowing:
                yield too_long(index, self.stamp, self._limit, self._model.overflow)

    def _begun(
        self, prompt: str, texts: Sequence[str], seen: Sequence[str], encodings: Sequence[Any]
    ) -> Iterator[Piece]:
        """Begin with texts of which as much as was `seen` gave these encodings."""
        import numpy as np

        long = np.array([bool(encoding.overflowing) for encoding in encodings], np.bool_)
        if self._model.overflow is not Overflow.CHUNK or not long.any():
            return self._pieces(self._start(prompt, seen, encodings), long)
        short = np.flatnonzero(~long)
        rows = short.tolist()
        begun = self._start(prompt, [seen[row] for row in rows], [encodings[row] for row in rows])
        return self._with_windows(begun, short, prompt, texts, np.flatnonzero(long))

    def _pieces(
        self, begun: Iterator[tuple[NDArray[np.intp], NDArray[np.float32]]], cut: NDArray[np.bool_]
    ) -> Iterator[Piece]:
        for rows, vectors in begun:
            yield Piece(rows, vectors, cut[rows])

    def _with_windows(
        self,
        begun: Iterator[tuple[NDArray[np.intp], NDArray[np.float32]]],
        short: NDArray[np.intp],
        prompt: str,
        texts: Sequence[str],
        long: NDArray[np.intp],
    ) -> Iterator[Piece]:
        """Yield the `short` rows that have begun, then the `long` ones, each the mean of its windows."""
        import numpy as np

        nothing_cut = np.zeros(len(texts), np.bool_)
        for rows, vectors in begun:
            yield Piece(short[rows], vectors, nothing_cut[rows])
        for row in long:
            vector = self._vector_of_windows(prompt, texts[row])
            yield Piece(np.array([row]), vector[None], nothing_cut[:1])

    def _encode(self, prompt: str, texts: Sequence[str]) -> tuple[list[Any], list[str]]:
        """Tokenize; beside the encodings, return as much of each text as it took to know them."""
        assert self._tokenizer is not None
        seen = [text if self._limit is None else head(text, self._limit) for text in texts]
        encodings = list(self._tokenizer.encode_batch_fast([prompt + part for part in seen]))
        for index, text in enumerate(texts):
            # A beginning that fits does not show whether the rest does; look at the whole text.
            if len(seen[index]) < len(text) and not encodings[index].overflowing:
                seen[index] = text
                encodings[index] = self._tokenizer.encode_batch_fast([prompt + text])[0]
        return encodings, seen

    def _vector_of_windows(self, prompt: str, text: str) -> NDArray[np.float32]:
        windows = self._windows(prompt, text)
        parts = [window.text for window in windows]
        vectors = self._vectors(prompt, parts, self._encode(prompt, parts)[0])
        mean = similarity.weighted_mean(vectors, [window.tokens for window in windows])
        return similarity.unit_or_zero(mean[None])[0] if self._normalizes() else mean

    def _vectors(
        self, prompt: str, texts: Sequence[str], encodings: Sequence[Any] | None
    ) -> NDArray[np.float32]:
        """Return what `_start` gives, in order: float32 [len(texts), dimensions]."""
        import numpy as np

        nothing_cut = np.zeros(len(texts), np.bool_)
        pieces = self._pieces(self._start(prompt, texts, encodings), nothing_cut)
        return self._collected(pieces, len(texts), raised)[0]

    def _windows(self, prompt: str, text: str) -> list[Window]:
        assert self._tokenizer is not None and self._limit is not None
        self._tokenizer.no_truncation()
        try:
            around = len(self._tokenizer.encode(prompt).ids)
            return split_windows(text, self._tokenizer, max(self._limit - around, 1))
        finally:
            self._tokenizer.enable_truncation(self._limit)

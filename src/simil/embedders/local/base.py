"""The base of the local engines: prompts, tokenization, and texts that are longer than the model reads."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from simil import similarity
from simil.embedders.base import Embedder, Kind
from simil.embedders.local.local_model import LocalModel
from simil.embedders.local.unknown_texts import UnknownTexts
from simil.embedders.local.windows import Window, split_windows, sufficient_prefix, sufficient_suffix
from simil.embedders.overflow import Overflow, nothing_to_embed, too_long
from simil.embedders.pieces import Mark, Piece, TextRejected, marked, raise_rejection, reindex

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    # Rows of a batch, int [n], and their vectors, float32 [n, dimensions].
    RowVectors = tuple[NDArray[np.intp], NDArray[np.float32]]

__all__ = ["LocalEmbedder", "LocalModel"]


class LocalEmbedder(Embedder):
    """An engine on this machine. It tokenizes with `tokenizer`; subclasses compute vectors in `_start`."""

    def __init__(self, model: LocalModel, tokenizer: Any | None, max_tokens: int | None) -> None:
        """Take a `tokenizers.Tokenizer`, or None for a model with another kind, which then truncates itself.

        `max_tokens` counts special tokens too; None means no limit. The tokenizer's own truncation says
        whether a text that is too long loses its end or its start.
        """
        self.stamp = model.stamp
        self._model = model
        self._tokenizer = tokenizer
        self._limit = max_tokens if tokenizer is not None else None
        self._unknown = UnknownTexts(tokenizer) if tokenizer is not None else None
        self._cut_side = "right"
        if tokenizer is not None:
            self._cut_side = (tokenizer.truncation or {}).get("direction", self._cut_side)
            tokenizer.no_padding()
            self._truncate()

    def _truncate(self) -> None:
        assert self._tokenizer is not None
        if self._limit:
            self._tokenizer.enable_truncation(self._limit, direction=self._cut_side)
        else:
            self._tokenizer.no_truncation()

    @abstractmethod
    def _start(
        self, kind: Kind, texts: Sequence[str], encodings: Sequence[Any] | None
    ) -> Iterator[RowVectors]:
        """Start to compute the vectors of the prompt for `kind` + each text, truncated at the limit.

        The iterator yields rows, int [n], and their vectors, float32 [n, dimensions], in any order.
        """

    @abstractmethod
    def _normalizes(self) -> bool:
        """Say whether the chain ends by normalizing the vectors."""

    def embed_batch(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed `texts` as symmetric ones; see `Embedder.embed_batch`."""
        return self._collect(self.start_batch(Kind.SYMMETRIC, texts), len(texts), raise_rejection)[0]

    def start_batch(self, kind: Kind, texts: Sequence[str]) -> Iterator[Piece | TextRejected]:
        """Start to embed `texts` with the model's prompt for `kind`; see `Embedder.start_batch`."""
        import numpy as np

        if self._tokenizer is None:
            return self._pieces(self._start(kind, texts, None), np.zeros(len(texts), np.uint8))
        encodings, parts = self._encode(kind, texts)
        rejected = list(self._rejections(encodings))
        if not rejected:
            return self._start_encoded(kind, texts, parts, encodings)
        wrong = {exc.index for exc in rejected}
        rows = [row for row in range(len(texts)) if row not in wrong]
        if not rows:
            return iter(rejected)
        kept = ([items[row] for row in rows] for items in (texts, parts, encodings))
        return chain(rejected, reindex(self._start_encoded(kind, *kept), rows))

    def _rejections(self, encodings: Sequence[Any]) -> Iterator[TextRejected]:
        for index, encoding in enumerate(encodings):
            if len(encoding) == 0:
                yield nothing_to_embed(index, self.stamp)
            elif self._model.overflow is Overflow.ERROR and encoding.overflowing:
                yield too_long(index, self.stamp, self._limit, self._model.overflow)

    def _start_encoded(
        self, kind: Kind, texts: Sequence[str], parts: Sequence[str], encodings: Sequence[Any]
    ) -> Iterator[Piece]:
        """Start to embed texts, of which `parts` were tokenized to `encodings`."""
        import numpy as np

        long = np.array([bool(encoding.overflowing) for encoding in encodings], np.bool_)
        marks = self._unknown_marks(kind, encodings)
        if self._model.overflow is not Overflow.CHUNK or not long.any():
            return self._pieces(self._start(kind, parts, encodings), marks | marked(long, Mark.CUT))
        short = np.flatnonzero(~long)
        rows = short.tolist()
        started = self._start(kind, [parts[row] for row in rows], [encodings[row] for row in rows])
        long_rows = np.flatnonzero(long)
        return chain(
            (Piece(short[part], vectors, marks[short[part]]) for part, vectors in started),
            (self._mean_of_windows(kind, texts[row], row) for row in long_rows.tolist()),
        )

    def _prompt(self, kind: Kind) -> str:
        return self._model.prompts.get(kind, "")

    def _pieces(self, started: Iterator[RowVectors], marks: NDArray[np.uint8]) -> Iterator[Piece]:
        for rows, vectors in started:
            yield Piece(rows, vectors, marks[rows])

    def _unknown_marks(self, kind: Kind, encodings: Sequence[Any]) -> NDArray[np.uint8]:
        assert self._unknown is not None
        return self._unknown.marks(self._prompt(kind), (encoding.ids for encoding in encodings))

    def _encode(self, kind: Kind, texts: Sequence[str]) -> tuple[list[Any], list[str]]:
        """Return the encoding of each text, and the part of the text that had to be tokenized for it."""
        assert self._tokenizer is not None
        prompt = self._prompt(kind)
        parts = [self._sufficient(text) for text in texts]
        encodings = list(self._tokenizer.encode_batch_fast([prompt + part for part in parts]))
        for index, text in enumerate(texts):
            # That a part fits does not mean that the text does: tokenize all of it.
            if len(parts[index]) < len(text) and not encodings[index].overflowing:
                parts[index] = text
                encodings[index] = self._tokenizer.encode_batch_fast([prompt + text])[0]
        return encodings, parts

    def _sufficient(self, text: str) -> str:
        if self._limit is None:
            return text
        return (sufficient_suffix if self._cut_side == "left" else sufficient_prefix)(text, self._limit)

    def _mean_of_windows(self, kind: Kind, text: str, row: int) -> Piece:
        """Return the mean of the vectors of a text's windows; it is unknown if all of them are."""
        import numpy as np

        windows = self._windows(kind, text)
        parts = [window.text for window in windows]
        encodings = self._encode(kind, parts)[0]
        vectors = self._vectors(kind, parts, encodings)
        mean = similarity.weighted_mean(vectors, [window.tokens for window in windows])[None]
        mark = self._unknown_marks(kind, encodings).min(keepdims=True)
        return Piece(np.array([row]), similarity.unit_or_zero(mean) if self._normalizes() else mean, mark)

    def _vectors(
        self, kind: Kind, texts: Sequence[str], encodings: Sequence[Any] | None
    ) -> NDArray[np.float32]:
        """Return the vectors of `_start` in order, float32 [len(texts), dimensions]."""
        import numpy as np

        no_marks = np.zeros(len(texts), np.uint8)
        pieces = self._pieces(self._start(kind, texts, encodings), no_marks)
        return self._collect(pieces, len(texts), raise_rejection)[0]

    def _windows(self, kind: Kind, text: str) -> list[Window]:
        assert self._tokenizer is not None and self._limit is not None
        self._tokenizer.no_truncation()
        try:
            # By the prompt and the special tokens.
            taken = len(self._tokenizer.encode(self._prompt(kind)).ids)
            return split_windows(text, self._tokenizer, max(self._limit - taken, 1))
        finally:
            self._truncate()

"""The base of the local engines: prompts, and texts that are longer than the model reads."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from itertools import chain as flatten
from typing import TYPE_CHECKING, Any

from simil import similarity
from simil.embedders.base import Embedder, Kind
from simil.embedders.local.local_model import LocalModel
from simil.embedders.local.text_encoder import EncodedTexts, TextEncoder
from simil.embedders.local.token_arrays import TokenArrays
from simil.embedders.overflow import Overflow, nothing_to_embed, too_long
from simil.embedders.pieces import Mark, Piece, TextRejected, raise_rejection, reindex
from simil.errors import ModelError
from simil.models.files.chain import Chain

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    # Rows of a batch, int [n], and their vectors, float32 [n, dimensions].
    RowVectors = tuple[NDArray[np.intp], NDArray[np.float32]]

__all__ = ["LocalEmbedder", "LocalModel", "expect_finite"]


class LocalEmbedder(Embedder):
    """An engine on this machine. It tokenizes by a `TextEncoder`; subclasses compute vectors in `_start`."""

    # Of how many texts the windows are embedded at once.
    _split_at_once = 1

    def __init__(self, model: LocalModel, tokenizer: Any | None, max_tokens: int | None) -> None:
        """Take a `tokenizers.Tokenizer`, or None for a model with another kind, which then truncates itself.

        `max_tokens` is as in `TextEncoder`.
        """
        self.stamp = model.stamp
        self._model = model
        self._encoder = TextEncoder(tokenizer, max_tokens) if tokenizer is not None else None

    @abstractmethod
    def _start(self, kind: Kind, texts: Sequence[str], tokens: TokenArrays | None) -> Iterator[RowVectors]:
        """Start to compute the vectors of the prompt for `kind` + each text, truncated at the limit.

        `tokens` are theirs; None if the engine has a tokenizer of another kind. The iterator yields rows,
        int [n], and their vectors, float32 [n, dimensions], in any order.
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

        if self._encoder is None:
            return self._pieces(self._start(kind, texts, None), np.zeros(len(texts), np.uint8))
        encoded = self._encoder.encode(self._prompt(kind), texts)
        return self._start_encoded(kind, texts, encoded)

    def _start_encoded(
        self, kind: Kind, texts: Sequence[str], encoded: EncodedTexts
    ) -> Iterator[Piece | TextRejected]:
        """Start to embed the texts that are not rejected."""
        import numpy as np

        rejected = list(self._rejections(encoded))
        if not rejected:
            return self._start_accepted(kind, texts, encoded)
        rows = np.delete(np.arange(len(texts)), [exc.index for exc in rejected]).tolist()
        if not rows:
            return iter(rejected)
        accepted = [texts[row] for row in rows]
        started = self._start_accepted(kind, accepted, encoded.take(rows))
        return flatten(rejected, reindex(started, rows))

    def _rejections(self, encoded: EncodedTexts) -> Iterator[TextRejected]:
        import numpy as np

        overflow = self._model.overflow
        empty = encoded.tokens.lengths == 0
        wrong = empty | encoded.cut if overflow is Overflow.ERROR else empty
        for index in np.flatnonzero(wrong).tolist():
            if empty[index]:
                yield nothing_to_embed(index, self.stamp)
            else:
                yield too_long(index, self.stamp, self._limit, overflow)

    def token_counts(self, texts: Sequence[str], kind: Kind) -> Sequence[int]:
        """Return how many tokens of each text are read, the prompt's too; see `Embedder.token_counts`."""
        if self._encoder is None:
            return super().token_counts(texts, kind)
        counts: list[int] = self._encoder.encode(self._prompt(kind), texts).tokens.lengths.tolist()
        return counts

    @property
    def _limit(self) -> int | None:
        return self._encoder.limit if self._encoder is not None else None

    def _start_accepted(self, kind: Kind, texts: Sequence[str], encoded: EncodedTexts) -> Iterator[Piece]:
        """Start to embed texts, the long ones among them in windows if so wanted."""
        import numpy as np

        cut = encoded.cut
        if self._model.overflow is not Overflow.CHUNK or not cut.any():
            return self._start_whole(kind, texts, encoded)
        short, long = np.flatnonzero(~cut), np.flatnonzero(cut)
        started = self._start_whole(kind, [texts[row] for row in short.tolist()], encoded.take(short))
        rows = long.tolist()
        return flatten(
            (Piece(short[piece.rows], piece.vectors, piece.marks) for piece in started),
            flatten.from_iterable(
                self._means_of_windows(kind, texts, rows[first : first + self._split_at_once])
                for first in range(0, len(rows), self._split_at_once)
            ),
        )

    def _start_whole(self, kind: Kind, texts: Sequence[str], encoded: EncodedTexts) -> Iterator[Piece]:
        if len(encoded.shortened):
            assert self._encoder is not None
            texts = list(texts)
            for row in encoded.shortened.tolist():
                texts[row] = self._encoder.part_read(texts[row])
        return self._pieces(self._start(kind, texts, encoded.tokens), encoded.marks)

    def _prompt(self, kind: Kind) -> str:
        return self._model.prompts.get(kind, "")

    def _tokens_left_out(self, kind: Kind, modules: Chain) -> int:
        """Return how many of a text's first tokens pooling leaves out: in some models the prompt's."""
        assert self._encoder is not None
        prompt = self._prompt(kind)
        return 0 if modules.pools_prompt or not prompt else self._encoder.prompt_tokens(prompt)

    def _pieces(self, started: Iterator[RowVectors], marks: NDArray[np.uint8]) -> Iterator[Piece]:
        for rows, vectors in started:
            yield Piece(rows, vectors, marks[rows])

    def _means_of_windows(self, kind: Kind, texts: Sequence[str], rows: Sequence[int]) -> Iterator[Piece]:
        """Yield the means of the vectors of texts' windows; a text is unknown if all of its windows are."""
        import numpy as np

        assert self._encoder is not None
        windows = [self._encoder.windows(self._prompt(kind), texts[row]) for row in rows]
        parts = [window.text for split in windows for window in split]
        encoded = self._encoder.encode(self._prompt(kind), parts)
        vectors = self._vectors(kind, parts, encoded.tokens)
        unknown = encoded.marks & Mark.UNKNOWN
        end = 0
        for row, split in zip(rows, windows, strict=True):
            start, end = end, end + len(split)
            mean = similarity.weighted_mean(vectors[start:end], [window.tokens for window in split])[None]
            mark = unknown[start:end].min(keepdims=True)
            yield Piece(np.array([row]), similarity.unit_or_zero(mean) if self._normalizes() else mean, mark)

    def _vectors(self, kind: Kind, texts: Sequence[str], tokens: TokenArrays | None) -> NDArray[np.float32]:
        """Return the vectors of `_start` in order, float32 [len(texts), dimensions]."""
        import numpy as np

        no_marks = np.zeros(len(texts), np.uint8)
        pieces = self._pieces(self._start(kind, texts, tokens), no_marks)
        return self._collect(pieces, len(texts), raise_rejection)[0]


def expect_finite(started: Iterator[RowVectors], stamp: str, precision: str) -> Iterator[RowVectors]:
    """Yield what is computed in `precision`; raises `ModelError` for values beyond the range of float16.

    They are the model's, not the text's: none is left out.
    """
    import numpy as np

    for rows, vectors in started:
        if precision == "float16" and not np.isfinite(vectors).all():
            raise ModelError(f"float16 has too small a range for {stamp}", hint="use --precision float32")
        yield rows, vectors

"""Runs static models with model2vec: no neural network and no torch, but many thousand texts per second."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simil import similarity
from simil.embedders.base import Embedder, Kind
from simil.embedders.local.base import LocalModel
from simil.embedders.local.token_arrays import TokenArrays
from simil.embedders.local.unknown_texts import UnknownTexts
from simil.embedders.overflow import Overflow, nothing_to_embed, too_long
from simil.embedders.pieces import Mark, Piece, TextRejected, marked, raise_rejection
from simil.errors import ModelDamaged, Place
from simil.foreign import ForeignCode
from simil.models.files.chain import read_bytes
from simil.models.files.token_table import StaticTable, import_model2vec
from simil.models.files.tokenizer import open_tokenizer
from simil.models.files.weights import WEIGHTS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["StaticEmbedder"]

# How many tokens' vectors are looked up at a time, since a text may be a book.
_TOKENS_AT_ONCE = 1 << 16
_TEXTS_AT_ONCE = 1024

_Ids = Sequence[int]


class StaticEmbedder(Embedder):
    """A table with one vector per token, and its tokenizer.

    Texts are tokenized and truncated here, as the library that wrote the model does; model2vec pools the
    tokens' vectors.
    """

    def __init__(self, model: LocalModel, folder: Path, table: StaticTable, *, raw: bool) -> None:
        """Load the table; `raw` leaves out a final normalization.

        Raises `ExtraMissing` if model2vec is not installed, `ModelDamaged` if the files do not match.
        """
        self.stamp = model.stamp
        self._model = model
        self._normalize = table.normalize and not raw
        self._tokenizer = _tokenizer(folder / table.path / "tokenizer.json", model.stamp)
        cuts = self._tokenizer.truncation
        self._limit = table.max_tokens if table.skips_unknown else cuts and int(cuts["max_length"])
        # model2vec cuts the end of a text, whatever its tokenizer says.
        self._cut_side = cuts["direction"] if cuts and not table.skips_unknown else "right"
        self._tokenizer.no_padding()
        self._truncate()
        self._static = _load_model2vec(folder / table.path / WEIGHTS, table, self._tokenizer)
        self._skipped = self._static.unk_token_id if table.skips_unknown else None
        self._unknown = UnknownTexts(self._tokenizer, special_tokens=False)
        # model2vec truncates a text to this many characters before it tokenizes.
        self._max_characters = (
            self._limit * self._static.median_token_length if table.skips_unknown and self._limit else None
        )
        self.dimensions = int(self._static.dim)

    def embed_batch(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed `texts` as symmetric ones; see `Embedder.embed_batch`."""
        return self._collect(self.start_batch(Kind.SYMMETRIC, texts), len(texts), raise_rejection)[0]

    def start_batch(self, kind: Kind, texts: Sequence[str]) -> Iterator[Piece | TextRejected]:
        """Embed `texts` with the model's prompt for `kind`; see `Embedder.start_batch`."""
        import numpy as np

        prompt = self._model.prompts.get(kind, "")
        prompted = [prompt + text for text in texts]
        ids, cut = self._tokenize(prompted)
        if self._model.overflow is Overflow.CHUNK and cut.any():
            for row in np.flatnonzero(cut):
                ids[row] = self._tokenize_fully(prompted[row])
            cut[:] = False
        marks = marked(cut, Mark.CUT) | self._unknown.marks(prompt, TokenArrays.of(ids))
        ids = [self._known(tokens) for tokens in ids]
        rejected = list(self._rejections(ids, cut))
        yield from rejected
        wrong = {exc.index for exc in rejected}
        rows = [row for row in range(len(texts)) if row not in wrong]
        if rows:
            yield Piece(np.array(rows), self._pool([ids[row] for row in rows]), marks[rows])

    def _rejections(self, ids: Sequence[_Ids], cut: NDArray[np.bool_]) -> Iterator[TextRejected]:
        overflow = self._model.overflow
        for row, tokens in enumerate(ids):
            if not tokens:
                yield nothing_to_embed(row, self.stamp)
            elif cut[row] and overflow is Overflow.ERROR:
                yield too_long(row, self.stamp, self._limit, overflow)

    def _tokenize(self, texts: Sequence[str]) -> tuple[list[_Ids], NDArray[np.bool_]]:
        """Return the ids of each text's tokens within the limit, and which texts are longer."""
        import numpy as np

        prefixes = [text[: self._max_characters] for text in texts]
        encodings = self._tokenizer.encode_batch_fast(prefixes, add_special_tokens=False)
        cut = [
            len(prefix) < len(text) or bool(encoding.overflowing)
            for prefix, text, encoding in zip(prefixes, texts, encodings, strict=True)
        ]
        return [encoding.ids for encoding in encodings], np.array(cut, np.bool_)

    def _tokenize_fully(self, text: str) -> _Ids:
        self._tokenizer.no_truncation()
        try:
            ids: _Ids = self._tokenizer.encode_batch_fast([text], add_special_tokens=False)[0].ids
            return ids
        finally:
            self._truncate()

    def _truncate(self) -> None:
        if self._limit:
            self._tokenizer.enable_truncation(self._limit, direction=self._cut_side)
        else:
            self._tokenizer.no_truncation()

    def _known(self, ids: _Ids) -> _Ids:
        return ids if self._skipped is None else [token for token in ids if token != self._skipped]

    def _pool(self, ids: Sequence[_Ids]) -> NDArray[np.float32]:
        """Return the mean of each text's token vectors, float32 [texts, dimensions]."""
        import numpy as np

        vectors = np.empty((len(ids), self.dimensions or 0), np.float32)
        long = [row for row, tokens in enumerate(ids) if len(tokens) > _TOKENS_AT_ONCE]
        short = [row for row, tokens in enumerate(ids) if len(tokens) <= _TOKENS_AT_ONCE]
        if short:
            vectors[short] = self._encode([ids[row] for row in short], normalize=self._normalize)
        for row in long:
            vectors[row] = self._mean_of_blocks(ids[row])
        return vectors

    def _encode(self, ids: Sequence[_Ids], *, normalize: bool) -> NDArray[np.float32]:
        longest = max(map(len, ids))
        # Of a token beyond the table, for instance.
        with ForeignCode(f"{self.stamp} failed"):
            vectors: NDArray[np.float32] = self._static.encode(
                ids,
                max_length=None,
                normalize=normalize,
                batch_size=max(1, min(_TOKENS_AT_ONCE // longest, _TEXTS_AT_ONCE)),
                # Its threads only tokenize, and starting them sets an environment variable.
                use_multiprocessing=False,
            )
        return vectors

    def _mean_of_blocks(self, ids: _Ids) -> NDArray[np.float32]:
        blocks = [ids[start : start + _TOKENS_AT_ONCE] for start in range(0, len(ids), _TOKENS_AT_ONCE)]
        means = self._encode(blocks, normalize=False)
        mean = similarity.weighted_mean(means, [len(block) for block in blocks])
        return similarity.unit_or_zero(mean[None])[0] if self._normalize else mean


def _tokenizer(path: Path, stamp: str) -> Any:
    data = read_bytes(path)
    if data is None:
        raise ModelDamaged("is missing", place=Place(str(path)))
    # Not `read_tokenizer`: for static models neither library uses tokenizer_config.json.
    return open_tokenizer(data, stamp, lower_case=False)


def _load_model2vec(path: Path, table: StaticTable, tokenizer: Any) -> Any:
    """Return model2vec's model with the table in `path`; it takes token ids in place of texts."""
    static_model = import_model2vec().StaticModel
    from safetensors.numpy import load_file

    # Each library raises its own exceptions for a malformed file.
    with ForeignCode(
        "does not match the tokenizer beside it",
        hint="try --engine torch",
        place=Place(str(path)),
        error=ModelDamaged,
    ):
        tensors = load_file(path)
        vectors = tensors[table.tensor]
        if not table.skips_unknown:
            vectors = vectors.astype("float32", copy=False)
        static = static_model(
            vectors, tokenizer.bare, weights=tensors.get("weights"), token_mapping=tensors.get("mapping")
        )
    static.tokenize = lambda sentences: sentences
    return static

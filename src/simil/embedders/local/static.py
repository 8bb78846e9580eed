"""Static models by model2vec: no network of neurons, so many thousand texts a second, and no torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simil import similarity
from simil.embedders.base import Embedder, Kind, Piece, TextRejected, raised
from simil.embedders.local.base import LocalModel
from simil.embedders.overflow import Overflow, nothing_read, too_long
from simil.errors import ModelDamaged, Place
from simil.models.files.token_table import StaticTable, import_model2vec
from simil.models.files.tokenizer import open_tokenizer
from simil.models.files.weights import WEIGHTS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["StaticEmbedder"]

# So many tokens' vectors are gathered at a time: a text may be a book.
_TOKENS_AT_ONCE = 1 << 16
_TEXTS_AT_ONCE = 1024

_Ids = Sequence[int]


class StaticEmbedder(Embedder):
    """A table of vectors, one a token, and the tokenizer that goes with it.

    Tokens are told and cut here, as model2vec or sentence-transformers does, whichever wrote the model;
    model2vec makes one vector of them.
    """

    def __init__(self, model: LocalModel, folder: Path, table: StaticTable, *, raw: bool) -> None:
        """Load the table; `raw` leaves out a normalization at the end.

        Raises `ExtraMissing` without model2vec, `ModelDamaged` for files that do not go together.
        """
        self.stamp = model.stamp
        self._model = model
        self._normalize = table.normalize and not raw
        self._tokenizer = _tokenizer(folder / table.path / "tokenizer.json", model.stamp)
        cuts = self._tokenizer.truncation
        self._limit = table.max_tokens if table.skips_unknown else cuts and int(cuts["max_length"])
        self._tokenizer.no_padding()
        self._truncate()
        self._static = _pooling(folder / table.path / WEIGHTS, table, self._tokenizer)
        self._unknown = self._static.unk_token_id if table.skips_unknown else None
        # model2vec takes so many characters of a text for as many tokens as it reads.
        self._characters = (
            self._limit * self._static.median_token_length if table.skips_unknown and self._limit else None
        )
        self.dimensions = int(self._static.dim)

    def embed_batch(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed in the model's symmetric form; see `Embedder.embed_batch`."""
        return self._collected(self.start_batch(Kind.SYMMETRIC, texts), len(texts), raised)[0]

    def start_batch(self, kind: Kind, texts: Sequence[str]) -> Iterator[Piece | TextRejected]:
        """Embed with the prompt that the model wants for `kind`; see `Embedder.start_batch`."""
        import numpy as np

        prompt = self._model.prompts.get(kind, "")
        whole = [prompt + text for text in texts]
        ids, cut = self._read(whole)
        if self._model.overflow is Overflow.CHUNK and cut.any():
            ids = [self._read_all(whole[row]) if cut[row] else one for row, one in enumerate(ids)]
            cut[:] = False
        refused = list(self._refused(ids, cut))
        yield from refused
        wrong = {exc.index for exc in refused}
        rows = [row for row in range(len(texts)) if row not in wrong]
        if rows:
            yield Piece(np.array(rows), self._pool([ids[row] for row in rows]), cut[rows])

    def _refused(self, ids: Sequence[_Ids], cut: NDArray[np.bool_]) -> Iterator[TextRejected]:
        overflow = self._model.overflow
        for row, one in enumerate(ids):
            if not one:
                yield nothing_read(row, self.stamp)
            elif cut[row] and overflow is Overflow.ERROR:
                yield too_long(row, self.stamp, self._limit, overflow)

    def _read(self, texts: Sequence[str]) -> tuple[list[_Ids], NDArray[np.bool_]]:
        """Return the token ids of each text that count, and which texts lost their end."""
        import numpy as np

        seen = [text[: self._characters] for text in texts]
        encodings = self._tokenizer.encode_batch_fast(seen, add_special_tokens=False)
        cut = [
            len(part) < len(text) or bool(encoding.overflowing)
            for part, text, encoding in zip(seen, texts, encodings, strict=True)
        ]
        return [self._known(encoding.ids) for encoding in encodings], np.array(cut, np.bool_)

    def _read_all(self, text: str) -> _Ids:
        self._tokenizer.no_truncation()
        try:
            return self._known(self._tokenizer.encode_batch_fast([text], add_special_tokens=False)[0].ids)
        finally:
            self._truncate()

    def _truncate(self) -> None:
        if self._limit:
            self._tokenizer.enable_truncation(self._limit)
        else:
            self._tokenizer.no_truncation()

    def _known(self, ids: _Ids) -> _Ids:
        return ids if self._unknown is None else [one for one in ids if one != self._unknown]

    def _pool(self, ids: Sequence[_Ids]) -> NDArray[np.float32]:
        """Return the mean of each text's token vectors, float32 [texts, dimensions]."""
        import numpy as np

        vectors = np.empty((len(ids), self.dimensions or 0), np.float32)
        long = [row for row, one in enumerate(ids) if len(one) > _TOKENS_AT_ONCE]
        short = [row for row, one in enumerate(ids) if len(one) <= _TOKENS_AT_ONCE]
        if short:
            vectors[short] = self._encode([ids[row] for row in short], normalize=self._normalize)
        for row in long:
            vectors[row] = self._mean_of_blocks(ids[row])
        return vectors

    def _encode(self, ids: Sequence[_Ids], *, normalize: bool) -> NDArray[np.float32]:
        longest = max(map(len, ids))
        vectors: NDArray[np.float32] = self._static.encode(
            ids,
            max_length=None,
            normalize=normalize,
            batch_size=max(1, min(_TOKENS_AT_ONCE // longest, _TEXTS_AT_ONCE)),
            # Its threads are of no use without tokenization, and it would set an environment variable.
            use_multiprocessing=False,
        )
        return vectors

    def _mean_of_blocks(self, ids: _Ids) -> NDArray[np.float32]:
        blocks = [ids[start : start + _TOKENS_AT_ONCE] for start in range(0, len(ids), _TOKENS_AT_ONCE)]
        means = self._encode(blocks, normalize=False)
        mean = similarity.weighted_mean(means, [len(block) for block in blocks])
        return similarity.unit_or_zero(mean[None])[0] if self._normalize else mean


def _tokenizer(path: Path, stamp: str) -> Any:
    try:
        data = path.read_bytes()
    except OSError as exc:
        raise ModelDamaged(f"cannot be read: {exc}", place=Place(str(path))) from exc
    # As it stands: neither library heeds a tokenizer_config.json beside it.
    return open_tokenizer(data, stamp, lower_case=False)


def _pooling(path: Path, table: StaticTable, tokenizer: Any) -> Any:
    """Return model2vec's model with the table in `path`, which takes token ids for texts."""
    static_model = import_model2vec().StaticModel
    from safetensors.numpy import load_file

    try:
        tensors = load_file(path)
        vectors = tensors[table.tensor]
        if not table.skips_unknown:
            vectors = vectors.astype("float32", copy=False)
        static = static_model(
            vectors, tokenizer, weights=tensors.get("weights"), token_mapping=tensors.get("mapping")
        )
    except Exception as exc:
        # The libraries have exceptions of their own for a file that is not what it should be.
        raise ModelDamaged(
            f"is no table for the tokenizer beside it: {exc}",
            place=Place(str(path)),
            hint="try --engine torch",
        ) from exc
    static.tokenize = lambda sentences: sentences
    return static

"""The default engine on a CPU: ONNX Runtime over a prepared graph, no torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain as flatten
from typing import TYPE_CHECKING, Any

from simil import similarity
from simil.embedders.local import LocalEmbedder, LocalModel
from simil.embedders.pooling import DenseLayer, pool
from simil.errors import ModelDamaged, ModelError
from simil.models.chain import Chain
from simil.models.prepare import GRAPH_OUTPUTS, Prepared, optimizing_options

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["OnnxEmbedder"]

# From so many texts on it pays to let ONNX Runtime repack the weights for its matrix products: that
# takes a quarter of a second for a model of 110M parameters, and nearly halves each run after it.
_BULK_TEXTS = 24
# Padded tokens and texts in one run: enough to fill the cores, few enough to stay in their caches.
_BATCH_TOKENS = 2048
_BATCH_TEXTS = 64


class OnnxEmbedder(LocalEmbedder):
    """A prepared graph, its tokenizer, and the chain's pooling in numpy."""

    def __init__(
        self,
        model: LocalModel,
        prepared: Prepared,
        chain: Chain,
        dense: Sequence[DenseLayer],
        *,
        raw: bool,
        threads: int,
    ) -> None:
        """Open the model. `raw` leaves out a normalization at the chain's end; `threads` 0 is all cores."""
        from tokenizers import Tokenizer
        from tokenizers.normalizers import Lowercase
        from tokenizers.normalizers import Sequence as InOrder

        try:
            tokenizer = Tokenizer.from_buffer(prepared.tokenizer)
        except Exception as exc:
            # The tokenizers library raises a bare `Exception`.
            raise ModelDamaged(f"the tokenizer.json of {model.stamp} cannot be read: {exc}") from exc
        if chain.lower_case:
            parts = [Lowercase()] if tokenizer.normalizer is None else [Lowercase(), tokenizer.normalizer]
            tokenizer.normalizer = InOrder(parts)
        super().__init__(model, tokenizer, chain.max_tokens)
        self._prepared = prepared
        self._chain = chain
        self._dense = tuple(dense)
        self._raw = raw
        self._threads = threads
        self._few: Any = None
        self._bulk: Any = None

    def _normalizes(self) -> bool:
        return self._chain.normalize and not self._raw

    def _vectors(
        self, prompt: str, texts: Sequence[str], encodings: Sequence[Any] | None
    ) -> NDArray[np.float32]:
        import numpy as np

        assert encodings is not None
        if not encodings:
            return np.empty((0, self.dimensions or 0), np.float32)
        session = self._session(len(encodings))
        skip = 0 if self._chain.pools_prompt or not prompt else self._prompt_tokens(prompt)
        lengths = np.array([len(encoding.ids) for encoding in encodings])
        vectors: NDArray[np.float32] | None = None
        for rows in _batches(lengths):
            ids, mask = _pad([encodings[row].ids for row in rows], lengths[rows])
            pooled = pool(_run(session, ids, mask), mask, self._chain.pooling, skip)
            for layer in self._dense:
                pooled = layer(pooled)
            if vectors is None:
                vectors = np.empty((len(encodings), pooled.shape[1]), np.float32)
            vectors[rows] = pooled
        assert vectors is not None
        # What is not finite cannot be normalized; `embed` says so of the model.
        unit = self._normalizes() and bool(np.isfinite(vectors).all())
        return similarity.unit_or_zero(vectors) if unit else vectors

    def _prompt_tokens(self, prompt: str) -> int:
        """Count as sentence-transformers does: with the special tokens before, without those after."""
        assert self._tokenizer is not None
        encoding = self._tokenizer.encode(prompt)
        return len(encoding.ids) - int(encoding.special_tokens_mask[-1:] == [1])

    def _session(self, texts: int) -> Any:
        """Return a session that starts at once for a few texts, or one that runs fast for many."""
        if self._bulk is None and (texts >= _BULK_TEXTS or not self._prepared.optimized):
            self._few, self._bulk = None, self._open(bulk=True)
        if self._bulk is None and self._few is None:
            self._few = self._open(bulk=False)
        return self._bulk or self._few

    def _open(self, *, bulk: bool) -> Any:
        import onnxruntime

        prepared = self._prepared
        options = optimizing_options(prepared)
        if prepared.optimized:
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        if not bulk:
            # Weights stay mapped from the file: nothing is copied that two words do not touch.
            options.add_session_config_entry("session.disable_prepacking", "1")
        # Threads that wait for work must not burn a core while a slow pipe brings the next text.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        options.intra_op_num_threads = self._threads
        graph = prepared.graph if isinstance(prepared.graph, bytes) else str(prepared.graph)
        try:
            return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        except Exception as exc:
            raise ModelError(
                f"ONNX Runtime cannot open {self.stamp}: {exc}", hint="try --engine torch"
            ) from exc


def _batches(lengths: NDArray[np.intp]) -> Iterator[NDArray[np.intp]]:
    """Yield rows of like length together, longest first, so that little of a batch is padding."""
    import numpy as np

    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        size = max(1, min(_BATCH_TEXTS, _BATCH_TOKENS // int(lengths[order[start]])))
        yield order[start : start + size]
        start += size


def _pad(
    ids: Sequence[Sequence[int]], lengths: NDArray[np.intp]
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return token ids and mask, int32 [texts, longest]; the mask is 0 where there is only padding."""
    import numpy as np

    mask = np.arange(int(lengths.max())) < lengths[:, None]
    padded = np.zeros(mask.shape, np.int32)
    padded[mask] = np.fromiter(flatten.from_iterable(ids), np.int32, int(lengths.sum()))
    return padded, mask.astype(np.int32)


def _run(session: Any, ids: NDArray[np.int32], mask: NDArray[np.int32]) -> NDArray[np.float32]:
    import numpy as np

    dtypes = {"tensor(int32)": np.int32, "tensor(int64)": np.int64}
    given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
    feed = {put.name: given[put.name].astype(dtypes[put.type], copy=False) for put in session.get_inputs()}
    names = [put.name for put in session.get_outputs()]
    output = next(name for name in GRAPH_OUTPUTS if name in names)
    hidden: NDArray[np.float32] = session.run([output], feed)[0]
    return hidden

"""Runs a model on the CPU without torch: a prepared graph, its tokenizer, and pooling in numpy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from simil import similarity
from simil.embedders.local.base import LocalEmbedder, LocalModel
from simil.embedders.local.batches import batches, pad
from simil.embedders.local.pooling import DenseLayer, pool
from simil.embedders.local.workers import Workers
from simil.errors import ModelDamaged
from simil.foreign import ForeignCode
from simil.models.files.chain import Chain

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from simil.embedders.local.base import RowVectors
    from simil.models.graphs.prepare import PreparedGraph

__all__ = ["GraphEmbedder", "InferenceSession", "Sessions"]

# The number of tokens in a run that makes the session for bulk worthwhile: to open it takes up to half a
# second, but the other session needs twice as long per token.
_BULK_TOKENS = 1536


class InferenceSession(Protocol):
    """An open graph, and its files; up to `workers` threads may call `run` at the same time."""

    workers: int
    prepared: PreparedGraph

    def run(self, ids: NDArray[np.int32], mask: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return the tokens' vectors, float32 [texts, tokens, hidden], for int32 [texts, tokens]."""


@dataclass(frozen=True, slots=True)
class Sessions:
    """How to open a graph: `few` starts at once, `bulk` has the higher throughput.

    If `few` is None, every text goes through the session for bulk.
    """

    few: Callable[[], InferenceSession] | None
    bulk: Callable[[], InferenceSession]


@dataclass(frozen=True, slots=True)
class _Batch:
    """Texts of one padded length: their rows, their token ids, and how many prompt tokens pooling skips."""

    rows: NDArray[np.intp]
    ids: Sequence[Sequence[int]]
    length: int
    skip: int


class GraphEmbedder(LocalEmbedder):
    """Runs a graph in the session that suits the number of tokens."""

    def __init__(
        self,
        model: LocalModel,
        tokenizer: Any,
        chain: Chain,
        dense: Sequence[DenseLayer],
        sessions: Sessions,
        *,
        raw: bool,
        vocabulary: int | None = None,
    ) -> None:
        """Open nothing before the first text; `raw` leaves out a final normalization.

        `vocabulary` is the number of tokens of which the graph has vectors, None if unknown.
        """
        super().__init__(model, tokenizer, chain.max_tokens)
        self._chain = chain
        self._dense = tuple(dense)
        self._sessions = sessions
        self._raw = raw
        self._vocabulary = vocabulary
        self._tokens = 0
        self._few: InferenceSession | None = None
        self._bulk: InferenceSession | None = None
        self._workers: Workers[_Batch, RowVectors] | None = None

    def close(self) -> None:
        """End the threads and release the sessions."""
        if self._workers is not None:
            self._workers.close()
        self._workers = self._few = self._bulk = None

    def _normalizes(self) -> bool:
        return self._chain.normalize and not self._raw

    def _start(
        self, prompt: str, texts: Sequence[str], encodings: Sequence[Any] | None
    ) -> Iterator[RowVectors]:
        import numpy as np

        assert encodings is not None
        if not encodings:
            return iter(())
        ids = [encoding.ids for encoding in encodings]
        lengths = np.fromiter(map(len, ids), np.intp, len(ids))
        skip = 0 if self._chain.pools_prompt or not prompt else self._prompt_tokens(prompt)
        items = [_Batch(rows, [ids[row] for row in rows], length, skip) for rows, length in batches(lengths)]
        self._tokens += int(lengths.sum())
        if self._sessions.few is not None and self._bulk is None and self._tokens < _BULK_TOKENS:
            self._few = self._few or self._sessions.few()
            return map(self._run, items)
        return self._bulk_workers().start(items)

    def _bulk_workers(self) -> Workers[_Batch, RowVectors]:
        """Return the threads of the session for bulk, which replaces the one for a few texts."""
        if self._workers is None:
            self._few, self._bulk = None, self._sessions.bulk()
            self._workers = Workers(self._bulk.workers, self._run)
        return self._workers

    def _run(self, batch: _Batch) -> RowVectors:
        import numpy as np

        session = self._bulk or self._few
        assert session is not None
        ids, mask = pad(batch.ids, batch.length)
        # OpenVINO takes zeros for a token beyond the table.
        if self._vocabulary is not None and (largest := int(ids.max())) >= self._vocabulary:
            raise ModelDamaged(f"the tokenizer of {self.stamp} gives token {largest}, which the model lacks")
        with ForeignCode(f"{self.stamp} failed"):
            vectors = pool(session.run(ids, mask), mask, self._chain.pooling, batch.skip)
            # The files are mapped: what is written to them after they were checked may be in the vectors.
            session.prepared.expect_unchanged()
            for layer in self._dense:
                vectors = layer(vectors)
        # Values that are not finite cannot be normalized; `Embedder.embed` reports them.
        if self._normalizes() and bool(np.isfinite(vectors).all()):
            vectors = similarity.unit_or_zero(vectors)
        return batch.rows, vectors

    def _prompt_tokens(self, prompt: str) -> int:
        """Count as sentence-transformers does: with the leading special tokens, without the trailing one."""
        assert self._tokenizer is not None
        encoding = self._tokenizer.encode(prompt)
        return len(encoding.ids) - int(encoding.special_tokens_mask[-1:] == [1])

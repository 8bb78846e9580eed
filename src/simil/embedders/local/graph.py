"""Runs a model on the CPU without torch: a prepared graph, and pooling in numpy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from simil import similarity
from simil.embedders.base import Kind
from simil.embedders.local.base import LocalEmbedder, LocalModel
from simil.embedders.local.batches import batches, pad, padded_rows
from simil.embedders.local.pooling import DenseLayer, pool
from simil.embedders.local.token_arrays import TokenArrays
from simil.embedders.local.workers import Workers
from simil.foreign import ForeignCode
from simil.models.files.chain import Chain

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from simil.embedders.local.base import RowVectors
    from simil.models.graphs.prepare import PreparedGraph

    # What turns the output of a graph and its mask into the result.
    Finish = Callable[[NDArray[np.float32], NDArray[np.int32]], NDArray[np.float32]]

__all__ = ["GraphEmbedder", "GraphRunner", "InferenceSession", "Sessions"]

# The number of tokens in a run that makes the session for bulk worthwhile: to open it takes up to half a
# second, but the other session needs twice as long per token.
_BULK_TOKENS = 1536


class InferenceSession(Protocol):
    """An open graph, and its files; up to `workers` threads may call `run` at the same time."""

    workers: int
    prepared: PreparedGraph

    def run(
        self,
        ids: NDArray[np.int32],
        mask: NDArray[np.int32],
        segments: NDArray[np.int32] | None = None,
    ) -> NDArray[np.float32]:
        """Return what the graph gives, float32, for int32 [texts, tokens]; see `graph_feed`."""


@dataclass(frozen=True, slots=True)
class Sessions:
    """How to open a graph: `few` starts at once, `bulk` has the higher throughput.

    If `few` is None, every text goes through the session for bulk. Unless `padded`, only texts of one length
    share a run. With `few_shapes` runs have one of a few numbers of rows: the engine keeps something for
    every shape that it has met.
    """

    few: Callable[[], InferenceSession] | None
    bulk: Callable[[], InferenceSession]
    padded: bool = True
    few_shapes: bool = False


class GraphRunner:
    """Runs token ids through a graph, in the session that suits their number."""

    def __init__(
        self,
        stamp: str,
        sessions: Sessions,
        *,
        limit: int | None,
        vocabulary: int | None = None,
        least_rows: int = 1,
    ) -> None:
        """Open nothing before the first run of the model called `stamp`.

        Texts are not padded beyond `limit` tokens, None for no limit. `vocabulary` is the number of tokens of
        which the graph has vectors, None if unknown. No run has fewer than `least_rows` rows: a row is
        repeated if need be.
        """
        self._limit = limit
        self._stamp = stamp
        self._sessions = sessions
        self._vocabulary = vocabulary
        self._least_rows = least_rows
        self._tokens = 0
        self._few: InferenceSession | None = None
        self._bulk: InferenceSession | None = None
        self._workers: Workers[_Batch, RowVectors] | None = None

    def start(
        self, tokens: TokenArrays, finish: Finish, *, segments: NDArray[np.int32] | None = None
    ) -> Iterator[RowVectors]:
        """Start to run texts or pairs as tokens; there is at least one.

        `finish` turns the graph's output for a batch and its mask, int32 [texts, tokens], into the result,
        float32 [texts, …]; it may be called by other threads. `segments` int32 [tokens] says of each token
        which text of a pair it belongs to. The iterator yields rows, int [n], and their results, in any
        order.
        """
        import numpy as np

        split = None if segments is None else TokenArrays(segments, tokens.lengths)
        lengths = tokens.lengths.astype(np.intp)
        items = [
            _Batch(
                rows,
                self._taken(tokens, rows, length),
                None if split is None else self._taken(split, rows, length),
                length,
                finish,
            )
            for rows, length in batches(lengths, padded=self._sessions.padded, limit=self._limit)
        ]
        self._tokens += len(tokens.ids)
        if self._sessions.few is not None and self._bulk is None and self._tokens < _BULK_TOKENS:
            self._few = self._few or self._sessions.few()
            return map(self._run, items)
        return self._bulk_workers().start(items)

    def close(self) -> None:
        """End the threads and release the sessions."""
        if self._workers is not None:
            self._workers.close()
        self._workers = self._few = self._bulk = None

    def _bulk_workers(self) -> Workers[_Batch, RowVectors]:
        """Return the threads of the session for bulk, which replaces the one for a few texts."""
        if self._workers is None:
            self._few, self._bulk = None, self._sessions.bulk()
            self._workers = Workers(self._bulk.workers, self._run)
        return self._workers

    def _run(self, batch: _Batch) -> RowVectors:
        session = self._bulk or self._few
        assert session is not None
        ids, mask = pad(batch.tokens, batch.length)
        segments = None if batch.segments is None else pad(batch.segments, batch.length)[0]
        # OpenVINO takes zeros for a token beyond the table.
        if self._vocabulary is not None:
            batch.tokens.expect_known(self._vocabulary, self._stamp)
        with ForeignCode(f"{self._stamp} failed"):
            results = batch.finish(session.run(ids, mask, segments), mask)
            # The files are mapped: what is written to them after they were checked may be in the results.
            session.prepared.expect_unchanged()
        return batch.rows, results[: len(batch.rows)]

    def _taken(self, tokens: TokenArrays, rows: NDArray[np.intp], length: int) -> TokenArrays:
        """Return the texts at `rows`, the first one again if they are too few for a run of that length."""
        import numpy as np

        wanted = padded_rows(len(rows), length) if self._sessions.few_shapes else self._least_rows
        missing = wanted - len(rows)
        return tokens.take(rows if missing <= 0 else np.append(rows, rows[:1].repeat(missing)))


@dataclass(frozen=True, eq=False, slots=True)
class _Batch:
    """Texts or pairs of one padded length: their rows, tokens and segments, and what finishes them."""

    rows: NDArray[np.intp]
    tokens: TokenArrays
    segments: TokenArrays | None
    length: int
    finish: Finish


class GraphEmbedder(LocalEmbedder):
    """Pools the vectors of tokens that a graph gives."""

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

        `vocabulary` is as in `GraphRunner`.
        """
        super().__init__(model, tokenizer, chain.max_tokens)
        self._chain = chain
        self._dense = tuple(dense)
        self._raw = raw
        self._runner = GraphRunner(self.stamp, sessions, limit=chain.max_tokens, vocabulary=vocabulary)

    def close(self) -> None:
        """End the threads and release the sessions."""
        self._runner.close()

    def _normalizes(self) -> bool:
        return self._chain.normalize and not self._raw

    def _start(self, kind: Kind, texts: Sequence[str], tokens: TokenArrays | None) -> Iterator[RowVectors]:
        assert tokens is not None
        if not len(tokens):
            return iter(())
        skip = self._tokens_left_out(kind, self._chain)
        return self._runner.start(tokens, partial(self._pooled, skip))

    def _pooled(self, skip: int, hidden: NDArray[np.float32], mask: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return the texts' vectors, of which pooling leaves out the first `skip` tokens."""
        import numpy as np

        vectors = pool(hidden, mask, self._chain.pooling, skip)
        for layer in self._dense:
            vectors = layer(vectors)
        # Values that are not finite cannot be normalized; `Embedder.embed` reports them.
        if self._normalizes() and bool(np.isfinite(vectors).all()):
            vectors = similarity.unit_or_zero(vectors)
        return vectors

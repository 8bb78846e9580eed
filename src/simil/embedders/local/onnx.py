"""Runs a prepared graph in ONNX Runtime: the engine that starts at once and needs no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simil.foreign import ForeignCode
from simil.models.graphs.onnx_runtime import import_onnxruntime
from simil.models.graphs.prepare import PreparedGraph, optimizing_options
from simil.models.graphs.signature import GraphKind, graph_feed, input_dtypes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["OnnxSession"]


class OnnxSession:
    """An open graph; up to `workers` threads may call `run` at the same time."""

    def __init__(
        self,
        stamp: str,
        prepared: PreparedGraph,
        *,
        threads: int,
        bulk: bool,
        kind: GraphKind = GraphKind.TOKENS,
    ) -> None:
        """Open the graph of the model called `stamp`.

        For a few texts the graph is mapped from disk, and one run uses `threads` cores (0: ONNX Runtime
        decides). For `bulk` the weights are repacked first, which takes a quarter of a second for 110M
        parameters and nearly halves the time of each run, and `threads` runs go in parallel. Raises
        `ModelError` if the graph cannot be opened.
        """
        onnxruntime = import_onnxruntime()
        self.workers = threads if bulk else 1
        self.prepared = prepared
        options = optimizing_options(prepared)
        if prepared.optimized:
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        if not bulk:
            # The weights stay mapped from the file, so two words load only the parts that they need.
            options.add_session_config_entry("session.disable_prepacking", "1")
        # Idle threads must not keep a core busy while a slow pipe delivers the next text.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        options.intra_op_num_threads = 1 if bulk else threads
        graph = prepared.graph if isinstance(prepared.graph, bytes) else str(prepared.graph)
        with ForeignCode(f"ONNX Runtime cannot open {stamp}", hint="try --engine torch"):
            self._session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        self._inputs = input_dtypes(self._session)
        names = {value.name for value in self._session.get_outputs()}
        self._output = next(name for name in kind.value if name in names)

    def run(
        self,
        ids: NDArray[np.int32],
        mask: NDArray[np.int32],
        segments: NDArray[np.int32] | None = None,
    ) -> NDArray[np.float32]:
        """Return what the graph gives, float32, for int32 [texts, tokens]; see `graph_feed`."""
        output: NDArray[np.float32]
        (output,) = self._session.run([self._output], graph_feed(ids, mask, self._inputs, segments))
        return output

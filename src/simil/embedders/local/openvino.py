"""Runs a prepared graph in OpenVINO: the engine for many texts, and for precisions below float32."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from simil.embedders.local.compiled_graph import INT8_HINT, import_graph, is_compiled
from simil.errors import ModelError
from simil.foreign import ForeignCode
from simil.models.graphs.openvino_runtime import import_openvino
from simil.models.graphs.prepare import PreparedGraph
from simil.models.graphs.signature import GraphKind, graph_feed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["OpenVinoSession"]

_HINTS = {"float32": "f32", "bfloat16": "bf16", "int8": INT8_HINT}


class OpenVinoSession:
    """A compiled graph; up to `workers` threads may call `run` at the same time."""

    def __init__(self, stamp: str, prepared: PreparedGraph, *, precision: str, threads: int) -> None:
        """Compile the graph of the model called `stamp` for `threads` parallel runs.

        With "bfloat16" everything after the last matrix product is still in float32; with "int8" everything
        that the graph does not quantize is. Raises `ModelError` if the processor does not support bfloat16 or
        OpenVINO cannot open the graph, `RejectedGraph` if it must be compiled anew.
        """
        openvino = import_openvino()
        core = openvino.Core()
        if precision == "bfloat16" and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            raise ModelError(
                "this processor does not support bfloat16", hint="leave out --precision, or try int8"
            )
        self.workers = threads
        self.prepared = prepared
        settings = {
            "INFERENCE_PRECISION_HINT": _HINTS[precision],
            # A stream is a run on one core; the threads that call `run` make it parallel.
            "NUM_STREAMS": threads,
            "INFERENCE_NUM_THREADS": threads,
            "ENABLE_CPU_PINNING": False,
        }
        with ForeignCode(f"OpenVINO cannot open {stamp}", hint="try --engine onnx"):
            if is_compiled(prepared):
                self._compiled, self._mapped = import_graph(core, prepared, settings)
            else:
                self._compiled = core.compile_model(core.read_model(str(prepared.graph)), "CPU", settings)
        self._inputs = {
            port.get_any_name(): port.get_element_type().to_dtype() for port in self._compiled.inputs
        }
        names = {name for port in self._compiled.outputs for name in port.get_names()}
        self._output = next(name for name in GraphKind.TOKENS.value if name in names)
        self._local = threading.local()

    def run(
        self,
        ids: NDArray[np.int32],
        mask: NDArray[np.int32],
        segments: NDArray[np.int32] | None = None,
    ) -> NDArray[np.float32]:
        """Return what the graph gives, float32, for int32 [texts, tokens]; see `graph_feed`.

        They are valid until the same thread calls `run` again.
        """
        request = self._request()
        request.infer(graph_feed(ids, mask, self._inputs, segments), share_inputs=True, share_outputs=True)
        output: NDArray[np.float32] = request.get_tensor(self._output).data
        return output

    def _request(self) -> Any:
        """Return this thread's request, which serves one run at a time and reuses its memory."""
        if not hasattr(self._local, "request"):
            self._local.request = self._compiled.create_infer_request()
        return self._local.request

"""The quantized graph as OpenVINO has compiled it for this processor, kept on disk.

To compile a quantized graph takes OpenVINO as long as to embed several hundred short texts, and twice the
memory of its weights. To import a compiled one takes a quarter of that, and maps the weights. A float32 graph
gains too little to be worth another copy of its weights.
"""

from __future__ import annotations

import hashlib
import io
import logging
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from simil.embedders.local.cores import processor_key
from simil.errors import ModelError
from simil.foreign import ForeignCode
from simil.models.graphs.build_once import BuildFailed, build_once, open_built
from simil.models.graphs.openvino_runtime import import_openvino
from simil.models.graphs.prepare import PreparedGraph

__all__ = ["INT8_HINT", "RejectedGraph", "compiled_graph", "import_graph", "is_compiled"]

log = logging.getLogger("simil")

INT8_HINT = "f32"
"""The precision of what a quantized graph leaves in floating point."""

_COMPILED = "compiled.blob"
# What keeps OpenVINO from using all that the processor can do.
_LIMIT = "ONEDNN_MAX_CPU_ISA"


class RejectedGraph(ModelError):
    """OpenVINO does not take a compiled graph, though it is as OpenVINO wrote it."""


def compiled_graph(quantized: PreparedGraph, stamp: str) -> PreparedGraph:
    """Return the compiled graph of the model called `stamp`, compiling it if there is no sound one.

    It fits one version of OpenVINO on one kind of processor, which have a folder of their own. Returns
    `quantized` itself if the compiled graph cannot be kept. Raises `ModelError` if OpenVINO cannot compile
    it.
    """
    assert quantized.built is not None
    openvino = import_openvino()
    instructions = f"{processor_key()} {os.environ.get(_LIMIT)}"
    fits = hashlib.sha256(f"{openvino.__version__} {instructions}".encode()).hexdigest()
    folder, generation = quantized.built.path, quantized.built.generation
    target = folder.with_name(f"{folder.name}-{fits[:6]}")
    try:
        built = open_built(target, generation) or build_once(
            target,
            lambda temporary: _compile(openvino, quantized, stamp, temporary / _COMPILED),
            generation=generation,
        )
    except (OSError, BuildFailed) as exc:
        log.info("the compiled graph of %s cannot be kept: %s", stamp, exc)
        return quantized
    return replace(quantized, graph=target / _COMPILED, built=built)


def is_compiled(graph: PreparedGraph) -> bool:
    """Say whether `import_graph` opens the graph."""
    return isinstance(graph.graph, Path) and graph.graph.name == _COMPILED


def import_graph(core: Any, graph: PreparedGraph, settings: dict[str, Any]) -> tuple[Any, Any]:
    """Return OpenVINO's compiled model, and the map of its file, which must live as long as it does.

    Raises `RejectedGraph` if the graph is of another version of OpenVINO or of other instructions of the
    processor, which its first bytes name.
    """
    import numpy as np

    # Copy on write, since OpenVINO takes no map that is read-only; it writes nothing.
    mapped = import_openvino().Tensor(np.memmap(graph.graph, np.uint8, "c"), shared_memory=True)
    with ForeignCode("OpenVINO rejects the compiled graph", error=RejectedGraph):
        return core.import_model(mapped, "CPU", settings), mapped


def _compile(openvino: Any, quantized: PreparedGraph, stamp: str, path: Path) -> None:
    quantized.verify()
    core, content = openvino.Core(), io.BytesIO()
    # How many threads run it is chosen when it is imported.
    with ForeignCode(f"OpenVINO cannot open {stamp}", hint="use another --precision"):
        model = core.read_model(str(quantized.graph))
        core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": INT8_HINT}).export_model(content)
    quantized.expect_unchanged()
    path.write_bytes(content.getbuffer())

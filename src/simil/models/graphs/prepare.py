"""From a model's files to a graph that ONNX Runtime opens at once.

Preparation happens once: the graph is optimized at the level that does not depend on the hardware
and saved with its weights as external data beside it, so that later runs map them from disk. It is
built in a temporary folder and appears by a rename, under a key of the source's state and the
versions involved; where the cache directory cannot be written the graph is kept in memory.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simil.models.files.chain import UnknownChain
from simil.models.files.model_source import ModelSource, verify_embedded
from simil.models.files.tokenizer import read_tokenizer
from simil.models.graphs.bert import bert_graph
from simil.models.graphs.build_once import SaveFailed, is_made, made_once
from simil.models.graphs.onnx_runtime import import_onnxruntime
from simil.progress import Progress

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "GRAPH_INPUTS",
    "GRAPH_OUTPUTS",
    "Prepared",
    "graph_feed",
    "optimizing_options",
    "prepare",
    "prepared_folder",
]

log = logging.getLogger("simil")

GRAPH_INPUTS = ("input_ids", "attention_mask", "token_type_ids")
GRAPH_OUTPUTS = ("last_hidden_state", "token_embeddings")

# Raise when what is saved, or how it is made, changes.
_LAYOUT = 1
_GRAPH, _WEIGHTS, _TOKENIZER = "model.onnx", "weights.bin", "tokenizer.json"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A graph to run. `optimized` graphs are a file; others are the bytes of a model whose weights
    lie in `weights_folder`, to be optimized while loading."""

    graph: Path | bytes
    tokenizer: bytes
    optimized: bool
    weights_folder: Path | None = None


def prepare(source: ModelSource, cache_dir: Path, progress: Progress) -> Prepared:
    """Return the prepared graph of `source`, making it where there is none for its present state.

    Raises `UnknownChain` where the model can't be brought into a graph, `ModelDamaged` for broken files.
    """
    onnxruntime = import_onnxruntime()
    target = prepared_folder(source, cache_dir, onnxruntime.__version__)
    ready = _open(target)
    if ready:
        return ready
    if source.embedded:
        verify_embedded()
    try:
        with progress(f"preparing {source.name}, once"):
            made_once(target, lambda folder: _save(_raw(source), folder), model=source.name)
        ready = _open(target)
    except (OSError, SaveFailed) as exc:
        log.info("%s cannot be written (%s): the model is prepared in memory", target.parent, exc)
    return ready or _raw(source)


def prepared_folder(source: ModelSource, cache_dir: Path, onnxruntime_version: str) -> Path:
    """Return where the graph of `source` in its present state is kept, if it is."""
    versions = f"{_LAYOUT} {onnxruntime_version}"
    key = hashlib.sha256(f"{source.state} {versions}".encode()).hexdigest()
    slug = re.sub(r"[^\w.-]+", "-", source.name)
    return cache_dir / "prepared" / f"{slug}-{key[:20]}"


def _open(target: Path) -> Prepared | None:
    """Return what lies in `target`, if it is whole."""
    if not is_made(target):
        return None
    try:
        return Prepared(target / _GRAPH, (target / _TOKENIZER).read_bytes(), optimized=True)
    except OSError:
        return None


def _save(raw: Prepared, folder: Path) -> None:
    onnxruntime = import_onnxruntime()
    options = optimizing_options(raw)
    options.optimized_model_filepath = str(folder / _GRAPH)
    options.add_session_config_entry("session.optimized_model_external_initializers_file_name", _WEIGHTS)
    options.add_session_config_entry(
        "session.optimized_model_external_initializers_min_size_in_bytes", "1024"
    )
    options.add_session_config_entry("session.disable_prepacking", "1")
    graph = raw.graph if isinstance(raw.graph, bytes) else str(raw.graph)
    try:
        onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as exc:
        # ONNX Runtime has one kind of exception for a full disk and for a broken graph; the graph is
        # opened again in memory, and that attempt tells which it was.
        raise SaveFailed(str(exc)) from exc
    (folder / _TOKENIZER).write_bytes(raw.tokenizer)


def graph_feed(
    ids: NDArray[np.int32], mask: NDArray[np.int32], dtypes: Mapping[str, Any]
) -> dict[str, NDArray[Any]]:
    """Return what a graph takes, for token ids and mask [texts, tokens].

    `dtypes` are its inputs with their types; every token is of the first segment.
    """
    import numpy as np

    given = dict(zip(GRAPH_INPUTS, (ids, mask, np.zeros_like(ids)), strict=True))
    return {name: given[name].astype(dtype, copy=False) for name, dtype in dtypes.items()}


def optimizing_options(raw: Prepared) -> Any:
    """Return ONNX Runtime's session options that optimize `raw` at the level free of hardware."""
    onnxruntime = import_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    if raw.weights_folder:
        entry = "session.model_external_initializers_file_folder_path"
        options.add_session_config_entry(entry, str(raw.weights_folder))
    return options


def _raw(source: ModelSource) -> Prepared:
    """Return the graph as it comes from the model's files: written, found, or exported."""
    folder = source.folder
    tokenizer = read_tokenizer(folder)
    if tokenizer is not None:
        try:
            graph, weights_folder = bert_graph(folder)
            return Prepared(graph, tokenizer, optimized=False, weights_folder=weights_folder)
        except UnknownChain as exc:
            log.info("%s: %s", source.name, exc)
        own = folder / "onnx" / "model.onnx"
        if own.is_file() and _fits(own):
            return Prepared(own, tokenizer, optimized=False)
    from simil.models.graphs.export import export_graph

    return Prepared(*export_graph(folder), optimized=False)


def _fits(graph: Path) -> bool:
    """Say whether a model's own graph takes tokens and gives a vector for each, and no less."""
    import onnx

    try:
        described = onnx.load(str(graph), load_external_data=False).graph
    except Exception as exc:  # noqa: BLE001 (protobuf's own kinds; another way to the graph is left)
        log.info("%s cannot be read: %s", graph, exc)
        return False
    takes = {put.name for put in described.input} - {weight.name for weight in described.initializer}
    gives = {put.name for put in described.output}
    return takes <= {*GRAPH_INPUTS} and bool(gives & {*GRAPH_OUTPUTS})

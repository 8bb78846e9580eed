"""Prepares a model: turns its files into a graph that ONNX Runtime opens at once.

Preparation happens once. The graph is optimized at the level that does not depend on the hardware and
saved with its weights as external data beside it, so that later runs map them from disk. The folder's
name is a key of the model's state and the versions involved. If the cache directory cannot be written,
the graph stays in memory.
"""

from __future__ import annotations

import gc
import logging
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from simil.errors import ModelDamaged, Place
from simil.models.files.chain import UnknownChain
from simil.models.files.model_source import ModelSource
from simil.models.files.tokenizer import open_tokenizer, read_tokenizer
from simil.models.files.weights import has_torch_weights
from simil.models.graphs.bert import bert_graph
from simil.models.graphs.build_once import BuildFailed, BuiltFolder, build_once, open_built
from simil.models.graphs.generations import Generation, state_folder
from simil.models.graphs.onnx_runtime import import_onnxruntime, onnxruntime_version
from simil.models.graphs.signature import GRAPH_INPUTS, GraphKind
from simil.models.torch_libraries import require_sentence_transformers
from simil.progress import Progress

__all__ = [
    "PreparedGraph",
    "opened_graph",
    "optimizing_options",
    "prepare",
    "prepared_folder",
    "ready_graph",
    "write_companions",
]

log = logging.getLogger("simil")

# Raise this when the contents of a prepared folder change.
_LAYOUT = 3
_GRAPH, _WEIGHTS, _TOKENIZER = "model.onnx", "weights.bin", "tokenizer.json"
# An empty file beside a graph that must be given no padding.
_NO_PADDING = "no-padding"


@dataclass(frozen=True, slots=True)
class PreparedGraph:
    """A graph to run, and the bytes of its `tokenizer.json`.

    An `optimized` graph is a file. Any other is optimized while it loads; if it is bytes, its weights may lie
    in `weights_folder`. It was `built` and lies in that folder, or it is made of the files of `source`.
    Unless it `takes_padding`, only texts of one length may share a batch.
    """

    graph: Path | bytes
    tokenizer: bytes
    optimized: bool
    weights_folder: Path | None = None
    source: ModelSource | None = None
    built: BuiltFolder | None = None
    takes_padding: bool = True

    def expect_unchanged(self) -> None:
        """Raise `ModelDamaged` if a file of the graph has changed since it was checked."""
        if self.built is not None:
            self.built.expect_unchanged()
        elif self.source is not None:
            self.source.expect_unchanged()

    def verify(self) -> None:
        """Read all prepared files in full; raises `ModelDamaged` if one is damaged."""
        if self.built is not None:
            self.built.verify()


def prepare(
    source: ModelSource,
    cache_dir: Path,
    progress: Progress,
    *,
    full: bool = False,
    kind: GraphKind = GraphKind.TOKENS,
) -> PreparedGraph:
    """Return the prepared graph of `source`, building it if there is no sound one for its present state.

    `full` takes nothing on trust: it reads all files of the graph, and tries again what has failed before.
    Raises `UnknownChain` if the model cannot be turned into a graph, `ModelDamaged` for broken files.
    """
    target = prepared_folder(source, cache_dir, kind)
    generation = Generation.of(source, cache_dir)
    saved = open_built(target, generation, full=full)
    if saved:
        return opened_graph(saved)
    from simil.models.graphs.failed_exports import recall_failure, remember_failure

    known = None if full else recall_failure(target)
    if known is not None:
        raise UnknownChain(known)
    source.verify()
    try:
        with progress(f"preparing {source.name}, once"):
            built = build_once(
                target, lambda folder: _build(source, kind, folder), generation=generation, full=full
            )
            return opened_graph(built)
    except UnknownChain as exc:
        reason = str(exc)
        remember_failure(target, source.name, reason)
    except MemoryError:
        reason = "there is not enough memory to make its graph"
    except (OSError, BuildFailed) as exc:
        reason = f"its graph cannot be written to {target.parent}: {exc}"
        ready = ready_graph(source, kind)
        if ready is not None:
            log.info("%s: %s; it is prepared in memory", source.name, reason)
            return ready
    gc.collect()  # With the exception, the exported model is out of use.
    raise UnknownChain(reason)


def prepared_folder(source: ModelSource, cache_dir: Path, kind: GraphKind = GraphKind.TOKENS) -> Path:
    """Return where the prepared graph of `source` in its present state is kept; it may not exist yet.

    The installed version of ONNX Runtime has a graph of its own.
    """
    versions = f"{_LAYOUT} {onnxruntime_version()}"
    if kind is not GraphKind.TOKENS:
        versions += f" {kind.output}"
    return state_folder(source, cache_dir, versions)


def opened_graph(built: BuiltFolder, name: str = _GRAPH) -> PreparedGraph:
    """Return the graph of that name in a folder that holds what `write_companions` has written."""
    tokenizer = built.read(_TOKENIZER)
    padding = _NO_PADDING not in built.manifest.files
    return PreparedGraph(built.path / name, tokenizer, optimized=True, built=built, takes_padding=padding)


def write_companions(graph: PreparedGraph, folder: Path) -> None:
    """Write what a graph made of `graph` needs beside it: the tokenizer, and whether it takes padding."""
    (folder / _TOKENIZER).write_bytes(graph.tokenizer)
    if not graph.takes_padding:
        (folder / _NO_PADDING).touch()


def _optimize(unoptimized: PreparedGraph, folder: Path) -> None:
    onnxruntime = import_onnxruntime()
    options = optimizing_options(unoptimized)
    options.optimized_model_filepath = str(folder / _GRAPH)
    options.add_session_config_entry("session.optimized_model_external_initializers_file_name", _WEIGHTS)
    options.add_session_config_entry(
        "session.optimized_model_external_initializers_min_size_in_bytes", "1024"
    )
    options.add_session_config_entry("session.disable_prepacking", "1")
    graph = unoptimized.graph if isinstance(unoptimized.graph, bytes) else str(unoptimized.graph)
    try:
        onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as exc:
        # ONNX Runtime raises the same exception for a full disk and for a broken graph. The graph is
        # opened again in memory; if that fails too, it is broken.
        raise BuildFailed(str(exc)) from exc
    unoptimized.expect_unchanged()
    write_companions(unoptimized, folder)


def optimizing_options(prepared: PreparedGraph) -> Any:
    """Return ONNX Runtime's session options that optimize a graph without regard to the hardware."""
    onnxruntime = import_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    if prepared.weights_folder:
        entry = "session.model_external_initializers_file_folder_path"
        options.add_session_config_entry(entry, str(prepared.weights_folder))
    return options


def _build(source: ModelSource, kind: GraphKind, folder: Path) -> None:
    """Fill `folder` with the optimized graph."""
    ready = ready_graph(source, kind)
    if ready is not None:
        _optimize(ready, folder)
        return
    require_sentence_transformers(source.name)
    from simil.models.graphs.export import export_graph
    from simil.models.graphs.graph_check import UnfitGraph, check_graph

    try:
        with TemporaryDirectory(dir=folder) as temporary:
            exported = export_graph(source.folder, Path(temporary), kind)
            graph = PreparedGraph(exported.path, exported.tokenizer, optimized=False, source=source)
            try:
                _optimize(graph, folder)
            except BuildFailed:
                check_graph(exported.path, exported.cases, kind)
                raise
        if not check_graph(folder / _GRAPH, exported.cases, kind):
            (folder / _NO_PADDING).touch()
    except UnfitGraph as exc:
        raise UnknownChain(str(exc)) from exc


def ready_graph(source: ModelSource, kind: GraphKind) -> PreparedGraph | None:
    """Return the graph, not optimized, that needs no torch: written from the weights, or the model's own.

    A graph in the model's folder may be of other weights than those beside it, so it is used only where there
    are none.
    """
    folder = source.folder
    shipped = folder / "onnx" / "model.onnx"
    written = None
    try:
        written = bert_graph(folder, kind)
    except UnknownChain as exc:
        log.info("%s: %s", source.name, exc)
        if has_torch_weights(folder) or not (shipped.is_file() and _is_usable(shipped, kind)):
            return None
    # Only now, since it may take transformers, and a graph that has to be exported comes with its own.
    tokenizer = read_tokenizer(folder)
    if tokenizer is None:
        return None
    if written is not None:
        graph, weights = written
        return PreparedGraph(graph, tokenizer, optimized=False, weights_folder=weights, source=source)
    padding = _check_shipped(shipped, tokenizer, source.name, kind)
    return PreparedGraph(shipped, tokenizer, optimized=False, source=source, takes_padding=padding)


def _check_shipped(graph: Path, tokenizer: bytes, name: str, kind: GraphKind) -> bool:
    """Return whether a model's own graph takes padding; raises `ModelDamaged` if it fails for some texts."""
    from simil.models.graphs.graph_check import UnfitGraph, check_alone, sample_texts

    opened = open_tokenizer(tokenizer, name, lower_case=False)
    opened.no_padding()
    # The longest may be longer than the model reads.
    encodings = opened.encode_batch_fast(sample_texts({}, parameters=0)[:-1])
    try:
        return check_alone(graph, [encoding.ids for encoding in encodings], kind)
    except UnfitGraph as exc:
        raise ModelDamaged(str(exc), hint="choose another model", place=Place(str(graph))) from exc


def _is_usable(graph: Path, kind: GraphKind) -> bool:
    """Say whether a model's own graph needs only tokens, masks and segments, and gives what `kind` does."""
    import onnx

    try:
        described = onnx.load(str(graph), load_external_data=False).graph
    except Exception as exc:  # noqa: BLE001 (protobuf's own exceptions; the graph can still be exported)
        log.info("%s cannot be read: %s", graph, exc)
        return False
    inputs = {value.name for value in described.input} - {weight.name for weight in described.initializer}
    outputs = {value.name for value in described.output}
    return inputs <= {*GRAPH_INPUTS} and bool(outputs & {*kind.value})

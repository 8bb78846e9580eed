"""Opens the engine that runs a model on this machine; `engine_choice.py` says which.

ONNX Runtime maps the prepared graph, starts at once and embeds a few texts. Many texts go to OpenVINO if
it is installed, else to ONNX Runtime with repacked weights. sentence-transformers runs models on a GPU
and those whose chain of modules simil's own engines do not support. model2vec runs static models.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from simil.config import Settings
from simil.device import Device
from simil.embedders.base import Embedder
from simil.embedders.local.engine_choice import EngineChoice, fall_back_to_torch, in_torch
from simil.embedders.local.engine_libraries import require_for_packed, require_for_torch
from simil.errors import ModelError
from simil.models.files.chain import Chain, UnknownChain, read_object, transformer_folder
from simil.models.files.model_source import ModelSource
from simil.models.files.token_table import StaticTable
from simil.progress import Progress

if TYPE_CHECKING:
    from simil.embedders.local.base import LocalModel
    from simil.embedders.local.graph import InferenceSession, Sessions
    from simil.models.graphs.prepare import PreparedGraph

__all__ = ["engine_label", "open_local", "verified"]

log = logging.getLogger("simil")

Opened = TypeVar("Opened")


def open_local(
    source: ModelSource,
    choice: EngineChoice,
    model: LocalModel,
    settings: Settings,
    *,
    raw: bool,
    progress: Progress,
) -> Embedder:
    """Return the embedder of a model's files that `choose_engine` chose by these `settings`.

    `raw` leaves out a final normalization. Raises `ModelError` if the model cannot be opened.
    """
    chain, settings = choice.chain, settings.replaced(precision=choice.precision)
    if isinstance(chain, StaticTable):
        from simil.embedders.local.static import StaticEmbedder

        model.on_engine("static")
        return verified(source.verify, lambda: StaticEmbedder(model, source.folder, chain, raw=raw))
    if chain is not None:
        try:
            if choice.engine == "packed":
                return _open_packed(source, choice, model, settings, raw=raw)
            return _open_graph(source, chain, model, settings, raw=raw, progress=progress)
        except UnknownChain as exc:
            fall_back_to_torch(source, settings, exc)
            choice = in_torch(source, settings)
    elif choice.why_torch:
        log.info("%s runs in sentence-transformers: %s", source.name, choice.why_torch)
    require_for_torch(source, settings)
    from simil.embedders.local.torch import TorchEmbedder

    embedder = verified(
        source.verify,
        lambda: TorchEmbedder(
            model,
            source,
            device=choice.device,
            precision=choice.precision,
            raw=raw,
            threads=settings.threads,
        ),
    )
    model.on_engine(engine_label("torch", embedder.device))
    return embedder


def engine_label(engine: str, device: Device) -> str:
    """Return how `-v` names an engine: with its device, unless that is the processor."""
    return engine if device.kind in ("auto", "cpu") else f"{engine} on {device}"


def _open_packed(
    source: ModelSource, choice: EngineChoice, model: LocalModel, settings: Settings, *, raw: bool
) -> Embedder:
    require_for_packed(settings)
    from simil.embedders.local.packed.packed_embedder import open_packed
    from simil.embedders.local.torch import torch_devices
    from simil.models.graphs.prepared_tokenizer import prepared_tokenizer

    chain, shape = choice.chain, choice.shape
    assert isinstance(chain, Chain) and shape is not None

    def opened() -> Embedder:
        return open_packed(
            source,
            shape,
            chain,
            model,
            prepared_tokenizer(source, settings.cache_dir),
            devices=torch_devices(choice.device),
            precision=choice.precision,
            raw=raw,
            threads=settings.threads,
        )

    embedder = verified(source.verify, opened)
    model.on_engine(engine_label("packed", choice.device))
    return embedder


def _open_graph(
    source: ModelSource,
    chain: Chain,
    model: LocalModel,
    settings: Settings,
    *,
    raw: bool,
    progress: Progress,
) -> Embedder:
    from simil.embedders.local.graph import GraphEmbedder
    from simil.embedders.local.pooling import load_dense
    from simil.models.files.tokenizer import expect_first_segment, open_tokenizer

    prepared = _prepared(source, chain, model.stamp, settings, progress)
    for layer in chain.dense:
        source.verify(layer.path)
    dense = [load_dense(source.folder, layer) for layer in chain.dense]
    tokenizer = open_tokenizer(prepared.tokenizer, model.stamp, lower_case=chain.lower_case)
    config = read_object(transformer_folder(source.folder) / "config.json") or {}
    if config.get("type_vocab_size"):
        expect_first_segment(tokenizer)
    sessions = _sessions(prepared, model, settings)
    return GraphEmbedder(
        model, tokenizer, chain, dense, sessions, raw=raw, vocabulary=config.get("vocab_size")
    )


def _prepared(
    source: ModelSource, chain: Chain, stamp: str, settings: Settings, progress: Progress
) -> PreparedGraph:
    if settings.precision == "int8":
        from simil.models.graphs.quantize import quantized_graph

        return quantized_graph(source, chain, stamp, settings.cache_dir, progress)
    from simil.models.graphs.prepare import prepare

    return prepare(source, settings.cache_dir, progress)


def _sessions(prepared: PreparedGraph, model: LocalModel, settings: Settings) -> Sessions:
    from simil.embedders.local.cores import physical_cores
    from simil.embedders.local.graph import Sessions
    from simil.models.graphs.openvino_runtime import has_openvino

    stamp, threads = model.stamp, settings.threads or physical_cores()

    def onnx(*, bulk: bool) -> InferenceSession:
        from simil.embedders.local.onnx import OnnxSession

        model.on_engine("onnx")
        if not bulk:
            return OnnxSession(stamp, prepared, threads=settings.threads, bulk=False)
        return verified(prepared.verify, lambda: OnnxSession(stamp, prepared, threads=threads, bulk=True))

    def openvino() -> InferenceSession:
        from simil.embedders.local.openvino import OpenVinoSession

        def opened(graph: PreparedGraph) -> InferenceSession:
            precision = settings.precision
            session = verified(
                graph.verify, lambda: OpenVinoSession(stamp, graph, precision=precision, threads=threads)
            )
            model.on_engine("openvino")
            return session

        if prepared.built is None:
            raise ModelError(
                f"OpenVINO cannot open {stamp}: the prepared model cannot be kept on disk",
                hint="make the cache directory writable (SIMIL_CACHE_DIR), or use --engine onnx",
            )
        if settings.precision == "int8":
            from simil.embedders.local.compiled_graph import RejectedGraph, compiled_graph

            try:
                return opened(compiled_graph(prepared, stamp))
            except RejectedGraph as exc:
                log.info("%s: it is compiled again", exc.message)
        return opened(prepared)

    def fastest() -> InferenceSession:
        if settings.engine != "onnx" and has_openvino() and prepared.optimized:
            try:
                return openvino()
            except ModelError as exc:
                log.info("%s; using ONNX Runtime", exc.message)
        return onnx(bulk=True)

    if settings.engine == "openvino" or settings.precision != "float32":
        int8 = settings.precision == "int8"
        return Sessions(None, openvino, prepared.takes_padding, few_shapes=int8)
    # A graph that could not be saved is optimized each time it is opened, so it is opened only once.
    few = partial(onnx, bulk=False) if prepared.optimized and not settings.expects_many else None
    return Sessions(few, fastest, prepared.takes_padding)


def verified(verify: Callable[[], None], opening: Callable[[], Opened]) -> Opened:
    """Open what reads files while another thread verifies them; of two errors, that of `verify` is raised."""
    from simil.embedders.local.workers import Workers

    reader: Workers[Callable[[], None], None] = Workers(1, lambda check: check())
    checked = reader.start([verify])
    try:
        return opening()
    finally:
        try:
            next(checked)
        finally:
            reader.close()

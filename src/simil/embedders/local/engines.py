"""Chooses and opens the engine that runs a model on this machine.

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
from simil.embedders.base import Embedder
from simil.errors import ModelError, UsageError
from simil.models.files.chain import Chain, UnknownChain, read_chain, read_object
from simil.models.files.model_kind import ModelKind, label_count, model_kind, refusal
from simil.models.files.model_source import ModelSource
from simil.models.files.token_table import StaticTable, read_static
from simil.models.torch_libraries import require_sentence_transformers
from simil.progress import Progress

if TYPE_CHECKING:
    from simil.embedders.local.base import LocalModel
    from simil.embedders.local.graph import InferenceSession, Sessions
    from simil.models.graphs.prepare import PreparedGraph

__all__ = [
    "check_engine",
    "fall_back_to_torch",
    "find_chain",
    "open_local",
    "require_for_torch",
    "verified",
]

log = logging.getLogger("simil")

Opened = TypeVar("Opened")


def find_chain(source: ModelSource, settings: Settings) -> Chain | StaticTable | None:
    """Return the model's chain or static table, None if sentence-transformers runs the model.

    Raises `UsageError` for settings that contradict each other, `ModelError` if `settings` ask for an engine
    that cannot run this model, or if it is no embedding model.
    """
    check_engine(settings)
    if not source.embedded:
        from simil.models.files.folder_check import check_folder

        check_folder(source.folder)
        _check_kind(source, settings)
    if settings.engine == "torch" or settings.device in ("cuda", "mps"):
        return None
    table = read_static(source.folder)
    if table is not None:
        _check_static(source, settings)
        return table
    try:
        return read_chain(source.folder)
    except UnknownChain as exc:
        fall_back_to_torch(source, settings, exc)
        return None


def open_local(
    source: ModelSource,
    chain: Chain | StaticTable | None,
    model: LocalModel,
    settings: Settings,
    *,
    raw: bool,
    progress: Progress,
) -> Embedder:
    """Return the embedder of a model's files; `chain` is the result of `find_chain`.

    `raw` leaves out a final normalization. Raises `ModelError` if the model cannot be opened.
    """
    if isinstance(chain, StaticTable):
        from simil.embedders.local.static import StaticEmbedder

        model.on_engine("static")
        return verified(source.verify, lambda: StaticEmbedder(model, source.folder, chain, raw=raw))
    if chain is not None:
        try:
            return _open_graph(source, chain, model, settings, raw=raw, progress=progress)
        except UnknownChain as exc:
            fall_back_to_torch(source, settings, exc)
    require_for_torch(source, settings)
    from simil.embedders.local.torch import TorchEmbedder

    device = "cpu" if settings.device == "auto" and source.embedded else settings.device
    model.on_engine("torch" if device in ("auto", "cpu") else f"torch on {device}")
    return verified(
        source.verify,
        lambda: TorchEmbedder(model, source, device=device, raw=raw, threads=settings.threads),
    )


def _check_kind(source: ModelSource, settings: Settings) -> None:
    kind = model_kind(source.folder)
    if kind is not ModelKind.EMBEDDER:
        raise refusal(kind, settings.model or source.name, labels=label_count(source.folder))


def check_engine(settings: Settings) -> None:
    """Raise `UsageError` or `ModelError` for settings of engine, device and precision that no engine fits."""
    on_gpu = settings.device in ("cuda", "mps")
    if on_gpu and settings.engine in ("onnx", "openvino"):
        raise ModelError(
            f"the {settings.engine} engine does not run on {settings.device}", hint="use --engine torch"
        )
    if settings.precision != "float32" and (on_gpu or settings.engine in ("onnx", "torch")):
        where = f"on {settings.device}" if on_gpu else f"by the {settings.engine} engine"
        raise UsageError(
            f"{settings.precision} is not supported {where}",
            hint="use --engine openvino, or leave out --precision",
        )


def _check_static(source: ModelSource, settings: Settings) -> None:
    if settings.engine != "auto":
        raise ModelError(
            f"the {settings.engine} engine cannot run {source.name}: it is a static model",
            hint="leave out --engine",
        )
    if settings.precision != "float32":
        raise ModelError(
            f"{settings.precision} is not supported for {source.name}: it is a static model",
            hint="leave out --precision",
        )


def fall_back_to_torch(source: ModelSource, settings: Settings, exc: UnknownChain) -> None:
    """Log why sentence-transformers runs a model; raises `ModelError` if another engine is asked for."""
    if settings.engine != "auto" or settings.precision != "float32":
        engine = "openvino" if settings.engine == "auto" else settings.engine
        raise ModelError(
            f"the {engine} engine cannot run {source.name}: {exc}", hint="use --engine torch"
        ) from exc
    log.info("%s runs in sentence-transformers: %s", source.name, exc)


def require_for_torch(source: ModelSource, settings: Settings) -> None:
    """Raise `ExtraMissing` if sentence-transformers is to run a model and is not installed."""
    what = source.name
    if settings.engine == "torch":
        what = "the torch engine"
    elif settings.device in ("cuda", "mps"):
        what = f"device {settings.device}"
    require_sentence_transformers(what)


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
    from simil.models.files.tokenizer import open_tokenizer
    from simil.models.graphs.prepare import prepare

    prepared = prepare(source, settings.cache_dir, progress)
    for layer in chain.dense:
        source.verify(layer.path)
    dense = [load_dense(source.folder, layer) for layer in chain.dense]
    tokenizer = open_tokenizer(prepared.tokenizer, model.stamp, lower_case=chain.lower_case)
    sessions = _sessions(prepared, chain, model, settings, progress)
    vocabulary = (read_object(source.folder / "config.json") or {}).get("vocab_size")
    return GraphEmbedder(model, tokenizer, chain, dense, sessions, raw=raw, vocabulary=vocabulary)


def _sessions(
    prepared: PreparedGraph, chain: Chain, model: LocalModel, settings: Settings, progress: Progress
) -> Sessions:
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

        graph = _graph(prepared, chain, stamp, settings, progress)
        session = verified(
            graph.verify, lambda: OpenVinoSession(stamp, graph, precision=settings.precision, threads=threads)
        )
        model.on_engine("openvino")
        return session

    def fastest() -> InferenceSession:
        if settings.engine != "onnx" and has_openvino() and prepared.optimized:
            try:
                return openvino()
            except ModelError as exc:
                log.info("%s; using ONNX Runtime", exc.message)
        return onnx(bulk=True)

    if settings.engine == "openvino" or settings.precision != "float32":
        return Sessions(None, openvino, prepared.takes_padding)
    # A graph that could not be saved is optimized each time it is opened, so it is opened only once.
    few = partial(onnx, bulk=False) if prepared.optimized else None
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


def _graph(
    prepared: PreparedGraph, chain: Chain, stamp: str, settings: Settings, progress: Progress
) -> PreparedGraph:
    """Return the graph for OpenVINO."""
    if settings.precision == "int8":
        from simil.models.graphs.quantize import quantize

        return quantize(prepared, chain, stamp, progress)
    if prepared.built is None:
        raise ModelError(
            f"OpenVINO cannot open {stamp}: the prepared model cannot be kept on disk",
            hint="make the cache directory writable (SIMIL_CACHE_DIR), or use --engine onnx",
        )
    return prepared

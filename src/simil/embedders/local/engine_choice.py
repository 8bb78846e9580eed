"""Chooses what runs a model on this machine: the engine, the device and the precision.

What "auto" means in the settings is decided here and nowhere else, before a key of the cache is made and
without importing torch.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from simil.config import Settings
from simil.device import Device
from simil.errors import ModelError, UsageError
from simil.frozen import Frozen
from simil.models.files.chain import Chain, UnknownChain, read_chain
from simil.models.files.model_kind import ModelKind, label_count, model_kind, refusal
from simil.models.files.model_source import ModelSource
from simil.models.files.token_table import StaticTable, read_static

if TYPE_CHECKING:
    from simil.embedders.local.gpus import FoundGpus
    from simil.models.files.packed_shape import PackedShape

__all__ = [
    "BY_DRIVER",
    "EngineChoice",
    "GpuFinder",
    "check_engine",
    "choose_engine",
    "fall_back_to_torch",
    "gives_way",
    "in_torch",
    "leaves_device_open",
    "placed",
    "wants_packed",
]

log = logging.getLogger("simil")

_CPU = Device("cpu")
# What each engine computes in; "auto" is simil's own choice of an engine.
_ON_CPU = {
    "auto": ("float32", "bfloat16", "int8"),
    "onnx": ("float32",),
    "openvino": ("float32", "bfloat16", "int8"),
    "packed": ("float32", "bfloat16", "float16"),
    "torch": ("float32",),
}
_ON_GPU = dict.fromkeys(("auto", "packed", "torch"), ("float32", "float16", "bfloat16"))


class GpuFinder:
    """How a GPU is found where the device is "auto": the first one that the CUDA driver names.

    `start_s` is how long it takes to import PyTorch and to start CUDA.
    """

    start_s = 6.0

    def may_exist(self) -> bool:
        """Return whether there seems to be one; takes microseconds."""
        from simil.embedders.local.gpus import may_have_gpus

        return may_have_gpus()

    def find(self) -> FoundGpus:
        """Ask the driver, which takes a fraction of a second."""
        from simil.embedders.local.gpus import find_gpus

        return find_gpus()

    def on_it(self, settings: Settings) -> Settings:
        """Return the settings of a run on it."""
        return settings.replaced(device=Device("cuda", (0,)))


BY_DRIVER = GpuFinder()


class EngineChoice(Frozen):
    """What runs a model: `engine` on `device`, in `precision`.

    `engine` is "graph" (ONNX Runtime or OpenVINO), "packed", "torch" (sentence-transformers) or "static".
    `chain` is None where sentence-transformers reads the model's modules, and `why_torch` says why, unless
    that was asked for. `shape` is for the packed engine.
    """

    engine: str
    device: Device
    precision: str
    chain: Chain | StaticTable | None = None
    shape: PackedShape | None = None
    why_torch: str = ""


def choose_engine(source: ModelSource, settings: Settings, finder: GpuFinder = BY_DRIVER) -> EngineChoice:
    """Return what runs the embedding model in `source`.

    A device "auto" is the processor, unless only a GPU computes what `settings` ask for; then one is looked
    for. See `gives_way` for many texts. Raises `UsageError` for settings that contradict each other,
    `ModelError` if they ask for an engine that cannot run this model, or if it is no embedding model.
    """
    check_engine(settings)
    if not source.embedded:
        from simil.models.files.folder_check import check_folder

        check_folder(source.folder)
        _check_kind(source, settings)
    settings = placed(settings, finder)
    if settings.engine == "torch" or settings.device.kind == "mps":
        return in_torch(source, settings)
    table = read_static(source.folder)
    if table is not None:
        return _static(source, table, settings)
    try:
        chain = read_chain(source.folder)
        return _packed(source, chain, settings) if wants_packed(settings) else _graph(chain, settings)
    except UnknownChain as exc:
        _check_fallback(source, settings, exc)
        return in_torch(source, settings).replaced(why_torch=str(exc))


def gives_way(choice: EngineChoice, settings: Settings, finder: GpuFinder) -> bool:
    """Return whether many texts may go to a GPU instead: `settings` leave that open, and one may exist.

    sentence-transformers itself takes a GPU where there is one.
    """
    return (
        leaves_device_open(settings)
        and choice.engine in ("graph", "packed")
        and not choice.device.is_gpu
        and finder.may_exist()
    )


def leaves_device_open(settings: Settings) -> bool:
    """Return whether simil may choose between the processor and a GPU."""
    return (
        settings.device.kind == "auto"
        and settings.engine in ("auto", "packed")
        and settings.precision in ("auto", *_ON_GPU["packed"])
    )


def check_engine(settings: Settings) -> None:
    """Raise `UsageError` or `ModelError` for settings of engine, device and precision that no engine fits."""
    engine, device, precision = settings.engine, settings.device, settings.precision
    if device.is_gpu and (engine not in _ON_GPU or (engine == "packed" and device.kind == "mps")):
        raise ModelError(f"the {engine} engine does not run on {device}", hint="leave out --engine")
    on_cpu = () if device.is_gpu else _ON_CPU[engine]
    on_gpu = () if device.kind == "cpu" else _ON_GPU.get(engine, ())
    if precision not in ("auto", *on_cpu, *on_gpu):
        raise UsageError(f"{precision} is not supported{_where(settings)}", hint=_other_precision(settings))


def placed(settings: Settings, finder: GpuFinder = BY_DRIVER) -> Settings:
    """Return the settings with a GPU as the device if only that computes in the precision asked for.

    Raises `UsageError` if there is none.
    """
    if settings.device.kind != "auto" or settings.precision in ("auto", *_ON_CPU[settings.engine]):
        return settings
    found = finder.find()
    if not found.names:
        raise UsageError(
            f"{settings.precision}{_where(settings)} needs a GPU, and {found.why_none}",
            hint=_other_precision(settings),
        )
    return finder.on_it(settings)


def fall_back_to_torch(source: ModelSource, settings: Settings, exc: UnknownChain) -> None:
    """Log why sentence-transformers runs a model; raises `ModelError` if another engine is asked for."""
    _check_fallback(source, settings, exc)
    log.info("%s runs in sentence-transformers: %s", source.name, exc)


def _check_fallback(source: ModelSource, settings: Settings, exc: UnknownChain) -> None:
    precisions = (_ON_GPU if settings.device.is_gpu else _ON_CPU)["torch"]
    if settings.engine != "auto":
        raise ModelError(
            f"the {settings.engine} engine cannot run {source.name}: {exc}", hint="use --engine torch"
        ) from exc
    if settings.precision not in ("auto", *precisions):
        raise ModelError(
            f"{settings.precision} is not supported for {source.name}: {exc}", hint="leave out --precision"
        ) from exc


def in_torch(source: ModelSource, settings: Settings) -> EngineChoice:
    """Return how sentence-transformers runs a model; on a device "auto" it takes a GPU if there is one."""
    if settings.device.is_several:
        raise ModelError(
            f"{source.name} runs in sentence-transformers, which uses one card, not {settings.device}",
            hint="use --device cuda",
        )
    # On a GPU the embedded model would take longer to start than to embed.
    device = _CPU if settings.device.kind == "auto" and source.embedded else settings.device
    return EngineChoice("torch", device, _precision(settings))


def _where(settings: Settings) -> str:
    engine = "" if settings.engine == "auto" else f" by the {settings.engine} engine"
    return engine if settings.device.kind == "auto" else f"{engine} on {settings.device}"


def _other_precision(settings: Settings) -> str:
    if settings.device.is_gpu:
        return "use --precision float16, or leave it out"
    if settings.precision == "float16" and settings.engine == "auto":
        return "use --precision bfloat16, or --engine packed, which is slow at it on a processor"
    return "leave out --engine or --precision"


def wants_packed(settings: Settings) -> bool:
    """Return whether the packed engine is to run models whose chain and shape it knows."""
    from simil.models.graphs.openvino_runtime import has_openvino

    if settings.engine == "packed" or settings.device.kind == "cuda":
        return True
    return settings.engine == "auto" and settings.precision == "bfloat16" and not has_openvino()


def _packed(source: ModelSource, chain: Chain, settings: Settings) -> EngineChoice:
    from simil.embedders.local.cores import computes_bfloat16
    from simil.models.files.packed_shape import read_packed_shape

    on_gpu = settings.device.is_gpu
    if settings.engine == "auto" and not on_gpu and not computes_bfloat16():
        raise ModelError(
            "this processor does not support bfloat16", hint="leave out --precision, or try int8"
        )
    shape = read_packed_shape(source.folder)
    precision = "float16" if on_gpu and settings.precision == "auto" else _precision(settings)
    return EngineChoice("packed", settings.device if on_gpu else _CPU, precision, chain, shape)


def _graph(chain: Chain, settings: Settings) -> EngineChoice:
    return EngineChoice("graph", _CPU, _precision(settings), chain)


def _precision(settings: Settings) -> str:
    return "float32" if settings.precision == "auto" else settings.precision


def _check_kind(source: ModelSource, settings: Settings) -> None:
    kind = model_kind(source.folder)
    if kind is not ModelKind.EMBEDDER:
        raise refusal(kind, settings.model or source.name, labels=label_count(source.folder))


def _static(source: ModelSource, table: StaticTable, settings: Settings) -> EngineChoice:
    if settings.engine != "auto":
        raise ModelError(
            f"the {settings.engine} engine cannot run {source.name}: it is a static model",
            hint="leave out --engine",
        )
    if settings.device.is_gpu:
        return in_torch(source, settings)
    if settings.precision not in ("auto", "float32"):
        raise ModelError(
            f"{settings.precision} is not supported for {source.name}: it is a static model",
            hint="leave out --precision",
        )
    return EngineChoice("static", _CPU, "float32", table)

"""What to say if the engine that is to run a model needs a library that is not installed."""

from __future__ import annotations

from simil.config import Settings
from simil.errors import ExtraMissing
from simil.models.files.model_source import ModelSource
from simil.models.graphs.openvino_runtime import has_openvino
from simil.models.torch_libraries import is_installed, require_sentence_transformers, require_torch

__all__ = ["require_for_packed", "require_for_torch"]


def require_for_torch(source: ModelSource, settings: Settings) -> None:
    """Raise `ExtraMissing` if sentence-transformers is to run a model and is not installed."""
    require_sentence_transformers(_asking(settings) or source.name)


def require_for_packed(settings: Settings) -> None:
    """Raise `ExtraMissing` if the packed engine is to run a model and torch is not installed."""
    asking = _asking(settings)
    if not asking and settings.precision == "bfloat16" and not (has_openvino() or is_installed("torch")):
        raise ExtraMissing("bfloat16 needs OpenVINO or torch, and neither is installed", extra="openvino")
    require_torch(asking or "the packed engine")


def _asking(settings: Settings) -> str:
    """Return which of the settings asks for PyTorch, "" if none does."""
    if settings.engine in ("torch", "packed"):
        return f"the {settings.engine} engine"
    return f"device {settings.device}" if settings.device.is_gpu else ""

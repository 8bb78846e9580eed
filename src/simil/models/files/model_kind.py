"""Says what kind of model a folder holds: one that embeds texts, or one of those that are used otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from simil.models.files.chain import SETTINGS, read_modules, read_object

__all__ = ["ModelKind", "model_kind"]

_CLASSIFIER = "ForSequenceClassification"
# What sentence-transformers and PyLate call the class that a folder was saved by.
_SAVED_AS = {
    "SentenceTransformer": "EMBEDDER",
    "CrossEncoder": "CROSS_ENCODER",
    "SparseEncoder": "SPARSE_ENCODER",
    "MultiVectorEncoder": "LATE_INTERACTION",
    "ColBERT": "LATE_INTERACTION",
}
_PACKAGES = {
    "sentence_transformers.sparse_encoder": "SPARSE_ENCODER",
    "sentence_transformers.cross_encoder": "CROSS_ENCODER",
    "sentence_transformers.multi_vector_encoder": "LATE_INTERACTION",
    "pylate": "LATE_INTERACTION",
}


class ModelKind(StrEnum):
    """What a model makes of texts; the values name it in a sentence."""

    EMBEDDER = "an embedding model"
    CROSS_ENCODER = "a cross-encoder"
    SPARSE_ENCODER = "a sparse encoder"
    LATE_INTERACTION = "a late-interaction model"


def model_kind(folder: Path) -> ModelKind:
    """Return the kind of the model in `folder`, as sentence-transformers tells it.

    A folder that does not say is one of an embedding model. Raises `ModelDamaged` for files that cannot be
    read.
    """
    saved_as = _SAVED_AS.get(str((read_object(folder / SETTINGS) or {}).get("model_type")))
    modules = read_modules(folder)
    name = saved_as if saved_as not in (None, "EMBEDDER") else _by_modules(modules)
    if name is None and not modules and saved_as is None:
        name = _by_architecture(read_object(folder / "config.json") or {})
    return ModelKind[name or "EMBEDDER"]


def _by_modules(modules: list[dict[str, Any]]) -> str | None:
    types = [str(module.get("type", "")) for module in modules]
    return next(
        (kind for package, kind in _PACKAGES.items() for name in types if name.startswith(f"{package}.")),
        None,
    )


def _by_architecture(config: Mapping[str, Any]) -> str | None:
    architectures = config.get("architectures")
    names = [str(name) for name in architectures] if isinstance(architectures, list) else []
    if "HF_ColBERT" in names:
        return "LATE_INTERACTION"
    return "CROSS_ENCODER" if any(name.endswith(_CLASSIFIER) for name in names) else None

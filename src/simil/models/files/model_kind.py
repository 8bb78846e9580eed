"""Says what kind of model a folder holds: one that embeds texts, or one of those that are used otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from simil.errors import ModelError
from simil.models.files.chain import SETTINGS, read_modules, read_object, understood

__all__ = ["ModelKind", "label_count", "label_names", "model_kind", "refusal"]

_CLASSIFIER = "ForSequenceClassification"
# The classes of transformers whose vectors are compared token by token.
_LATE_INTERACTION = ("HF_ColBERT", "ForRetrieval")
# How many labels transformers takes for granted.
_LABELS = 2


class ModelKind(StrEnum):
    """What a model makes of texts; the values name it in a sentence."""

    EMBEDDER = "an embedding model"
    CROSS_ENCODER = "a cross-encoder"
    SPARSE_ENCODER = "a sparse encoder"
    LATE_INTERACTION = "a late-interaction model"
    OTHER = "a model of a kind that simil does not know"


# What sentence-transformers and PyLate call the class that a folder was saved by.
_SAVED_AS = {
    "SentenceTransformer": ModelKind.EMBEDDER,
    "CrossEncoder": ModelKind.CROSS_ENCODER,
    "SparseEncoder": ModelKind.SPARSE_ENCODER,
    "MultiVectorEncoder": ModelKind.LATE_INTERACTION,
    "ColBERT": ModelKind.LATE_INTERACTION,
}
_PACKAGES = {
    "sentence_transformers.sparse_encoder.": ModelKind.SPARSE_ENCODER,
    "sentence_transformers.cross_encoder.": ModelKind.CROSS_ENCODER,
    "sentence_transformers.multi_vector_encoder.": ModelKind.LATE_INTERACTION,
    "pylate.": ModelKind.LATE_INTERACTION,
}
_GIVES = {
    ModelKind.CROSS_ENCODER: "it scores pairs of texts and has no vectors",
    ModelKind.SPARSE_ENCODER: "its vectors have a weight for each word, and simil compares dense vectors",
    ModelKind.LATE_INTERACTION: "it has a vector for each token, and simil compares one for each text",
    ModelKind.OTHER: "simil only knows the kinds that sentence-transformers 6 saves",
}
_OTHERWISE = "choose an embedding model: simil models lists them"


def model_kind(folder: Path) -> ModelKind:
    """Return the kind of the model in `folder`, as sentence-transformers tells it.

    What saved the folder counts most, then its modules, then the architecture of a folder without modules.
    One that says nothing holds an embedding model. Raises `ModelDamaged` for files that cannot be read.
    """
    saved_as = (read_object(folder / SETTINGS) or {}).get("model_type")
    if saved_as is not None:
        kind = _SAVED_AS.get(str(saved_as), ModelKind.OTHER)
        if kind is not ModelKind.EMBEDDER:
            return kind
    modules = read_modules(folder)
    types = [str(module.get("type", "")) for module in modules]
    by_module = (kind for package, kind in _PACKAGES.items() for name in types if name.startswith(package))
    found = next(by_module, None)
    if found is None and saved_as is None:
        found = _by_architecture(read_object(folder / "config.json") or {}, has_modules=bool(modules))
    return found or ModelKind.EMBEDDER


def label_count(folder: Path) -> int:
    """Return how many labels a bare classifier of transformers has; 1 for any other model.

    Raises `ModelDamaged` for files that cannot be read.
    """
    config = read_object(folder / "config.json") or {}
    with understood(folder / "config.json"):
        return len(label_names(config))


def label_names(config: Mapping[str, Any]) -> list[str]:
    """Return the names of a classifier's labels; of any other transformer, that of the one it is given."""
    if not any(name.endswith(_CLASSIFIER) for name in _architectures(config)):
        return ["LABEL_0"]
    names = config.get("id2label")
    count = int(config.get("num_labels", _LABELS))
    return [str(name) for name in names.values()] if names else [f"LABEL_{label}" for label in range(count)]


def refusal(kind: ModelKind, name: str, *, labels: int = 1) -> ModelError:
    """Return the error for a model that gives no vectors to compare, with what it can be used for instead.

    `name` is what the user calls it, `labels` how many a cross-encoder has: only one makes a score.
    """
    if kind is ModelKind.CROSS_ENCODER and labels != 1:
        return ModelError(
            f"{name} sorts texts into {labels} classes, and has neither vectors nor a score",
            hint=_OTHERWISE,
        )
    hint = _OTHERWISE
    if kind is ModelKind.CROSS_ENCODER:
        hint = f"use it as simil compare -m {name} or simil search --rerank {name}"
    return ModelError(f"{name} is {kind}: {_GIVES[kind]}", hint=hint)


def _by_architecture(config: Mapping[str, Any], *, has_modules: bool) -> ModelKind | None:
    names = _architectures(config)
    if any(name.endswith(_LATE_INTERACTION) for name in names):
        return ModelKind.LATE_INTERACTION
    if not has_modules and any(name.endswith(_CLASSIFIER) for name in names):
        return ModelKind.CROSS_ENCODER
    return None


def _architectures(config: Mapping[str, Any]) -> list[str]:
    names = config.get("architectures")
    return [str(name) for name in names] if isinstance(names, list) else []

"""Reads what the packed engine needs to know about a model's transformer, without torch.

A model is understood in full or refused: a setting that changes the result and is not known here, a missing
tensor or one of another shape leave the model to the other engines.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from simil.models.files.chain import UnknownChain, read_object, transformer_folder, understood
from simil.models.files.encoder_families import encoder_layout
from simil.models.files.encoder_layout import PackedShape
from simil.models.files.weight_files import ADAPTER
from simil.models.files.weights import WEIGHTS, StoredTensor, name_prefix, read_headers

__all__ = ["PackedShape", "read_packed_shape"]

_DTYPES = ("F32", "F16", "BF16")
# Settings that no family knows as it is; without them, or with an empty value, nothing changes.
_FOREIGN = (
    *("quantization_config", "compression_config", "pruned_heads", "add_cross_attention"),
    "per_layer_config",
)


def read_packed_shape(folder: Path) -> PackedShape:
    """Return the shape of the transformer of the model in `folder`.

    Raises `UnknownChain` with the reason if the packed engine cannot run it, `ModelDamaged` for files that
    cannot be read.
    """
    with understood(folder):
        transformer = transformer_folder(folder)
        config = read_object(transformer / "config.json") or {}
        _check_foreign(transformer, config)
        layout = encoder_layout(config)
        stored = read_headers(transformer)
        if not stored:
            raise UnknownChain(f"it has no {WEIGHTS}")
        prefix = _check_tensors(layout, stored)
    return replace(layout, prefix=prefix, files={name: tensor.file for name, tensor in stored.items()})


def _check_foreign(folder: Path, config: Mapping[str, Any]) -> None:
    if (folder / ADAPTER).exists():
        raise UnknownChain("it has an adapter")
    for name in _FOREIGN:
        if config.get(name):
            raise UnknownChain(f"its transformer sets {name}")


def _check_tensors(layout: PackedShape, stored: Mapping[str, StoredTensor]) -> str:
    """Return the prefix of the tensors' names; raises `UnknownChain` unless all are there as they must be."""
    needed = dict(layout.tensors())
    prefix = name_prefix(stored, next(iter(needed)), layout.prefix)
    for name, shape in needed.items():
        tensor = stored.get(prefix + name)
        if tensor is None:
            raise UnknownChain(f"its weights lack {prefix + name}")
        if tuple(tensor.shape) != shape:
            raise UnknownChain(f"its {prefix + name} is of shape {tensor.shape}, not {[*shape]}")
        if tensor.dtype not in _DTYPES:
            raise UnknownChain(f"its weights are of type {tensor.dtype}")
    return prefix

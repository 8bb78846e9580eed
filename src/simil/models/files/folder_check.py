"""Refuses a model folder that could do harm before a library opens it: it may be a stranger's.

What is refused: what hangs when it is read, paths that lead out of the folder, modules whose code is not
sentence-transformers', adapters, and sizes that the weights cannot have, for which transformers would take
all memory.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from simil.errors import ModelDamaged, ModelError, Place
from simil.models.files.chain import read_object
from simil.models.files.module_folders import check_inside, module_folders
from simil.models.files.own_code import check_modules
from simil.models.files.weight_files import ADAPTER, form_in_use

__all__ = ["check_adapters", "check_folder"]

_WEIGHTS = (".safetensors", ".bin", ".onnx", ".onnx_data", ".data")
_WIDTHS = ("hidden_size", "d_model", "dim", "n_embd", "embedding_size", "word_embed_proj_dim", "d_embed")
_LAYERS = ("num_hidden_layers", "num_layers", "n_layers", "n_layer")
# How many rows some table of weights has, each as wide as the least of the widths.
_ROWS = (
    *_WIDTHS, "vocab_size", "max_position_embeddings", "type_vocab_size", "intermediate_size", "d_ff",
    "hidden_dim", "n_positions",
)  # fmt: skip
# Weights may take half a byte each, and need not be all that a setting says.
_PER_BYTE = 4
_MOST_LAYERS = 1000
# Models that use the weights of one layer again and again.
_SHARED_LAYERS = ("albert",)


def check_folder(folder: Path) -> None:
    """Check a model folder by its names and settings; raises `ModelDamaged`, or `ModelError` for own code.

    Links to files may lead anywhere: a snapshot of the hub's cache consists of them.
    """
    weights = _checked_entries(folder)
    check_modules(folder)
    check_adapters(folder)
    modules = module_folders(folder)
    for path in dict.fromkeys(["", *(module.path for module in modules)]):
        _check_shards(folder / path)
    _check_sizes(folder / modules[0].path / "config.json", weights)


def check_adapters(folder: Path) -> None:
    """Raise `ModelError` for an adapter: the libraries would look for the model that it belongs to."""
    for module in module_folders(folder):
        path = folder / module.path / ADAPTER
        if path.is_file():
            raise ModelError(
                "the model is an adapter for another one, and only whole models are run",
                hint="merge the two, or choose another model",
                place=Place(str(path)),
            )


def _check_shards(folder: Path) -> None:
    """Raise `ModelDamaged` for shards outside of the folder, and for missing ones of the form in use."""
    in_use = form_in_use({path.name for path in folder.glob("*")})
    for index in folder.glob("*.index.json"):
        shards = (read_object(index) or {}).get("weight_map")
        if not isinstance(shards, dict) or not shards:
            raise ModelDamaged("has no weight_map", place=Place(str(index)))
        for name in sorted({str(shard) for shard in shards.values()}):
            check_inside(folder, name, index)
            if index.name == in_use and not (folder / name).is_file():
                raise ModelDamaged(
                    f"the weights are not whole: {name} is missing",
                    hint="fetch the model again",
                    place=Place(str(folder)),
                )


def _checked_entries(folder: Path) -> int:
    """Return how many bytes of weights there are.

    Raises `ModelDamaged` for what is neither a file nor a folder inside, as a pipe that never ends.
    """
    weights, waiting = 0, [folder]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                seen = [entry for entry in entries if not entry.name.startswith(".")]
            for entry in seen:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(Path(entry.path))
                elif entry.is_dir():
                    check_inside(folder, os.path.relpath(entry.path, folder), Path(entry.path))
                elif entry.is_file():
                    weights += entry.stat().st_size if entry.name.endswith(_WEIGHTS) else 0
                elif Path(entry.path).exists():
                    raise ModelDamaged("is neither a file nor a folder", place=Place(entry.path))
        except OSError as exc:  # A link that leads to itself, or what may not be read.
            where = Place(str(exc.filename or folder))
            raise ModelDamaged(f"cannot be read: {exc.strerror}", place=where) from exc
    return weights


def _check_sizes(path: Path, weights: int) -> None:
    """Raise `ModelDamaged` for sizes in a `config.json` that so many bytes of weights are too few for."""
    if not weights:
        return
    for config in _parts(read_object(path) or {}):
        sizes = {name: _size(name, config[name], path) for name in (*_ROWS, *_LAYERS) if config.get(name)}
        width = min((sizes[name] for name in _WIDTHS if name in sizes), default=1)
        layers = max((sizes[name] for name in _LAYERS if name in sizes), default=1)
        is_shared = str(config.get("model_type", "")).startswith(_SHARED_LAYERS)
        wrong = [name for name in _ROWS if sizes.get(name, 0) * width > _PER_BYTE * weights]
        if layers > _MOST_LAYERS or (layers * width * width > _PER_BYTE * weights and not is_shared):
            wrong += [name for name in _LAYERS if name in sizes]
        if wrong:
            raise ModelDamaged(
                f"its {wrong[0]} is {sizes[wrong[0]]}, and the weights are too small for that",
                place=Place(str(path)),
            )


def _parts(config: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield config
    yield from (value for value in config.values() if isinstance(value, dict))


def _size(name: str, value: object, path: Path) -> int:
    sizes = value if isinstance(value, list) and value else [value]
    if not all(type(size) is int and size > 0 for size in sizes):
        raise ModelDamaged(f"its {name} is {str(value)[:40]!r}", place=Place(str(path)))
    return int(max(sizes))

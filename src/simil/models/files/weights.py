"""Reads the header of a safetensors file, without the library and without the data."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from simil.errors import ModelDamaged, Place
from simil.models.files.chain import UnknownChain, read_object, understood
from simil.models.files.weight_files import form_in_use

__all__ = ["WEIGHTS", "StoredTensor", "has_torch_weights", "name_prefix", "read_header", "read_headers"]

WEIGHTS = "model.safetensors"
_INDEX = ".index.json"
_LARGEST_HEADER = 100_000_000  # the library's own limit
_DTYPE = re.compile(r"BOOL|(BF|[FIUC])[0-9]+(_\w+)?")
_BITS = {"F64": 64, "I64": 64, "F32": 32, "I32": 32, "F16": 16, "BF16": 16, "I8": 8, "U8": 8}


class StoredTensor(NamedTuple):
    """A tensor in a file: its dtype as safetensors names it, its shape, its offset and length in bytes."""

    file: Path
    dtype: str
    shape: list[int]
    offset: int
    length: int


def has_torch_weights(folder: Path) -> bool:
    """Say whether `folder` holds the weights of a transformer as torch loads them, in one file or several."""
    return form_in_use({path.name for path in folder.glob("*")}) is not None


def read_headers(folder: Path) -> dict[str, StoredTensor]:
    """Return the tensors of a transformer's safetensors files by name, none if there are no such files.

    Links are followed, as the hub's cache consists of them. Errors are those of `read_header`.
    """
    files = [folder / WEIGHTS]
    if not files[0].is_file():
        path = folder / f"{WEIGHTS}{_INDEX}"
        with understood(path):
            shards = (read_object(path) or {}).get("weight_map", {}).values()
            files = [folder / name for name in sorted({*shards})]
    tensors: dict[str, StoredTensor] = {}
    for file in files:
        tensors |= read_header(file.resolve())
    return tensors


def name_prefix(stored: Mapping[str, StoredTensor], first: str, prefix: str) -> str:
    """Return what stands before tensors' names: `prefix` in checkpoints of a model with a head on top, or "".

    `first` is the name of a tensor that must be there. Raises `UnknownChain` if it is there twice: which of
    the two is loaded depends on the library.
    """
    if first not in stored:
        return prefix
    if prefix and prefix + first in stored:
        raise UnknownChain(f"its weights have both {first} and {prefix + first}")
    return ""


def read_header(path: Path) -> dict[str, StoredTensor]:
    """Return the tensors of a safetensors file by name.

    The format is eight bytes with the header's length, a JSON header, the data. Raises `ModelDamaged` if
    the header cannot be read or the file is shorter than it says.
    """
    try:
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            if size > _LARGEST_HEADER:
                raise ValueError(size)
            header: dict[str, Any] = json.loads(file.read(size))
        start = 8 + size
        tensors = {
            name: StoredTensor(
                path,
                entry["dtype"],
                entry["shape"],
                start + entry["data_offsets"][0],
                entry["data_offsets"][1] - entry["data_offsets"][0],
            )
            for name, entry in header.items()
            if name != "__metadata__"
        }
        end = _end(tensors, start)
        if not tensors or path.stat().st_size > end:
            raise ValueError(end)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as exc:
        raise ModelDamaged(
            "is not a safetensors file", place=Place(str(path)), hint="fetch the model again"
        ) from exc
    if path.stat().st_size < end:
        raise ModelDamaged("is cut short", place=Place(str(path)), hint="fetch the model again")
    return tensors


def _end(tensors: Mapping[str, StoredTensor], start: int) -> int:
    """Return where the data ends; raises ValueError unless tensors stand side by side, each as it is shaped.

    The library refuses any other file, too.
    """
    end = start
    for tensor in sorted(tensors.values(), key=lambda tensor: (tensor.offset, tensor.length)):
        shape_is_sound = all(type(size) is int and size >= 0 for size in tensor.shape)
        bits = _BITS.get(tensor.dtype)
        is_known = bool(_DTYPE.fullmatch(tensor.dtype))
        fits = bits is None or math.prod(tensor.shape) * bits == 8 * tensor.length
        if tensor.offset != end or tensor.length < 0 or not (shape_is_sound and fits and is_known):
            raise ValueError(tensor)
        end += tensor.length
    return end

"""Reads the header of a safetensors file, without the library and without the data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from simil.errors import ModelDamaged, Place

__all__ = ["WEIGHTS", "StoredTensor", "read_header"]

WEIGHTS = "model.safetensors"


class StoredTensor(NamedTuple):
    """A tensor in a file: its dtype as safetensors names it, its shape, its offset and length in bytes."""

    dtype: str
    shape: list[int]
    offset: int
    length: int


def read_header(path: Path) -> dict[str, StoredTensor]:
    """Return the tensors of a safetensors file by name.

    The format is eight bytes with the header's length, a JSON header, the data. Raises `ModelDamaged` if
    the header cannot be read or the file is shorter than it says.
    """
    try:
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            header: dict[str, Any] = json.loads(file.read(min(size, 100_000_000)))
        start = 8 + size
        tensors = {
            name: StoredTensor(
                entry["dtype"],
                entry["shape"],
                start + entry["data_offsets"][0],
                entry["data_offsets"][1] - entry["data_offsets"][0],
            )
            for name, entry in header.items()
            if name != "__metadata__"
        }
        end = max(tensor.offset + tensor.length for tensor in tensors.values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as exc:
        raise ModelDamaged(
            "is not a safetensors file", place=Place(str(path)), hint="fetch the model again"
        ) from exc
    if path.stat().st_size < end:
        raise ModelDamaged("is cut short", place=Place(str(path)), hint="fetch the model again")
    return tensors

"""What a safetensors file says of itself, read without the library and without its data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from simil.errors import ModelDamaged, Place

__all__ = ["WEIGHTS", "read_header"]

WEIGHTS = "model.safetensors"


def read_header(path: Path) -> dict[str, tuple[str, list[int], int, int]]:
    """Return where each tensor of a safetensors file lies: dtype, shape, offset in the file, length.

    The format: eight bytes of header length, a JSON header, the data.
    """
    try:
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            header: dict[str, Any] = json.loads(file.read(min(size, 100_000_000)))
        start = 8 + size
        tensors = {
            name: (
                entry["dtype"],
                entry["shape"],
                start + entry["data_offsets"][0],
                entry["data_offsets"][1] - entry["data_offsets"][0],
            )
            for name, entry in header.items()
            if name != "__metadata__"
        }
        end = max(offset + length for _, _, offset, length in tensors.values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as exc:
        raise ModelDamaged(
            "is not a safetensors file", place=Place(str(path)), hint="fetch the model again"
        ) from exc
    if path.stat().st_size < end:
        raise ModelDamaged("is cut short", place=Place(str(path)), hint="fetch the model again")
    return tensors

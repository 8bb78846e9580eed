"""The forms a vector file can have, and how its name tells which."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

__all__ = ["VectorFormat", "format_of", "sidecar_path"]


class VectorFormat(StrEnum):
    """A form of vector file; `BASE64` is `JSON` with each embedding as base64 of little-endian float32."""

    JSON = "json"
    JSONL = "jsonl"
    NPY = "npy"
    CSV = "csv"
    TSV = "tsv"
    BASE64 = "base64"


_SUFFIXES = {
    ".json": VectorFormat.JSON,
    ".jsonl": VectorFormat.JSONL,
    ".ndjson": VectorFormat.JSONL,
    ".npy": VectorFormat.NPY,
    ".csv": VectorFormat.CSV,
    ".tsv": VectorFormat.TSV,
    ".tab": VectorFormat.TSV,
}


def format_of(path: str | Path) -> VectorFormat | None:
    """Return the form that the suffix of `path` names, in any case, or None."""
    return _SUFFIXES.get(Path(path).suffix.lower())


def sidecar_path(path: str | Path) -> Path:
    """Return where ids and model of the `.npy` file `path` stand: `x.npy` has `x.npy.json` beside it."""
    return Path(f"{path}.json")

"""The formats of vector files, and how a file's name tells which."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from simil.formats.registry import suffix_format

__all__ = ["COLUMNAR", "STREAMED", "VectorFormat", "format_of", "sidecar_path"]


class VectorFormat(StrEnum):
    """The formats of the registry that vectors are kept in.

    `BASE64` is `JSON` with each embedding as base64 of little-endian float32.
    """

    JSON = "json"
    JSONL = "jsonl"
    NPY = "npy"
    CSV = "csv"
    TSV = "tsv"
    BASE64 = "base64"
    PARQUET = "parquet"
    ARROW = "arrow"
    LANCE = "lance"


# Those that have columns with types, and are read alike.
COLUMNAR = (VectorFormat.PARQUET, VectorFormat.ARROW, VectorFormat.LANCE)

# Those of one file, written to any stream; a Lance dataset is a folder.
STREAMED = tuple(form for form in VectorFormat if form is not VectorFormat.LANCE)


def format_of(path: str | Path) -> VectorFormat | None:
    """Return the format that the suffix of `path` means, in upper or lower case, or None."""
    form = suffix_format(path)
    return VectorFormat(form.name) if form and form.name in [*VectorFormat] else None


def sidecar_path(path: str | Path) -> Path:
    """Return where ids and model of the `.npy` file `path` stand: `x.npy` has `x.npy.json` beside it."""
    return Path(f"{path}.json")

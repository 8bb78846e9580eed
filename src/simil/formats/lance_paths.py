"""Which paths and addresses are those of Lance datasets."""

from __future__ import annotations

from pathlib import Path, PurePath

from simil.formats.remote_paths import is_remote

__all__ = ["has_lance_suffix", "is_lance"]

_VERSIONS = "_versions"


def has_lance_suffix(path: str) -> bool:
    """Return whether a path or address is named as a dataset is, in upper or lower case."""
    return PurePath(path).suffix.lower() == ".lance"


def is_lance(path: str) -> bool:
    """Return whether a path is that of a dataset: a folder with its versions, or an address that ends so."""
    if is_remote(path):
        return has_lance_suffix(path)
    try:
        return path != "" and Path(path, _VERSIONS).is_dir()
    except (OSError, ValueError):
        return False

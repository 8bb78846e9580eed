"""Addresses of object stores, which stand where paths do."""

from __future__ import annotations

import re
from pathlib import Path

from simil.errors import Place, UsageError

__all__ = ["address_of", "check_online", "is_remote"]

_SCHEMES = r"(?:s3|s3\+ddb|gs|az|abfss?)"
_REMOTE = re.compile(rf"{_SCHEMES}://", re.IGNORECASE)
_SHORTENED = re.compile(rf"({_SCHEMES}):/(?!/)", re.IGNORECASE)


def is_remote(path: str) -> bool:
    """Return whether `path` is an address in an object store: s3://, gs:// or az://."""
    return _REMOTE.match(path) is not None


def address_of(path: Path) -> str:
    """Return the path as it was given: of the two slashes of an address, a `Path` keeps one."""
    return _SHORTENED.sub(r"\1://", str(path), count=1) if _SHORTENED.match(str(path)) else str(path)


def check_online(path: str, *, offline: str) -> None:
    """Raise UsageError for an address if `offline` names a setting that forbids connections."""
    if offline and is_remote(path):
        raise UsageError(
            f"is an address, and simil is offline ({offline})",
            hint=f"run without {offline}, or name a path",
            place=Place(path),
        )

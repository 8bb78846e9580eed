"""Addresses of object stores, which stand where paths do."""

from __future__ import annotations

import re

from simil.errors import Place, UsageError

__all__ = ["check_online", "is_remote"]

_REMOTE = re.compile(r"(?:s3|s3\+ddb|gs|az|abfss?)://", re.IGNORECASE)


def is_remote(path: str) -> bool:
    """Return whether `path` is an address in an object store: s3://, gs:// or az://."""
    return _REMOTE.match(path) is not None


def check_online(path: str, *, offline: bool) -> None:
    """Raise UsageError for an address where no connection may be made."""
    if offline and is_remote(path):
        raise UsageError(
            "is an address, and offline mode opens no connection",
            hint="leave out --offline, or name a path",
            place=Place(path),
        )

"""Who writes to the folder of a Lance dataset: what nobody has committed may be a run's that was killed."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from simil.file_locks import lock
from simil.formats.lance_paths import is_lance
from simil.formats.remote_paths import is_remote

__all__ = ["being_written", "nobody_writes"]


@contextmanager
def being_written(path: str) -> Iterator[None]:
    """Keep others from taking for abandoned what this process writes and has not committed."""
    with _locked(path, exclusive=False):
        yield


@contextmanager
def nobody_writes(path: str) -> Iterator[bool]:
    """Yield whether no process of simil on this machine writes; none begins while this lasts.

    In an object store, and where the file system has no locks, nobody can tell.
    """
    with _locked(path, exclusive=True) as is_locked:
        yield is_locked


@contextmanager
def _locked(path: str, *, exclusive: bool) -> Iterator[bool]:
    """Lock the folder of a dataset for as long as the process lives; yield whether that is possible."""
    # Windows locks no folders.
    if sys.platform == "win32" or is_remote(path) or not is_lance(path):
        yield False
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        is_locked = False
        with suppress(BlockingIOError):
            is_locked = lock(descriptor, is_shared=not exclusive, wait=not exclusive)
        yield is_locked
    finally:
        os.close(descriptor)

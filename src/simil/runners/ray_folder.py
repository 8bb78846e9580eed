"""The folder of a Ray that runs on this machine for one command."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from simil.file_locks import lock

__all__ = ["ray_folder"]

# Ray's sockets are below its folder, and their names must not be long.
_SHORT_TMP = "/tmp"
_PREFIX = "simil-ray-"
# A younger folder may be one that its run has not locked yet, or one that Ray's processes still leave.
_SETTLED_S = 60.0


@contextmanager
def ray_folder() -> Iterator[str]:
    """Yield a new folder, which is removed after the block.

    A run that is killed, or that Ctrl-C ends before Ray has ended, leaves its own: the next one removes it.
    """
    parent = _SHORT_TMP if Path(_SHORT_TMP).is_dir() else tempfile.gettempdir()
    for left in Path(parent).glob(f"{_PREFIX}*"):
        with suppress(OSError):
            _remove_abandoned(left)
    folder = tempfile.mkdtemp(prefix=_PREFIX, dir=parent)
    try:
        with _locked(Path(folder)):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_abandoned(folder: Path) -> None:
    """Remove a folder of this user that belongs to no living run."""
    found = folder.lstat()
    is_own = sys.platform == "win32" or found.st_uid == os.getuid()
    if time.time() - found.st_mtime < _SETTLED_S or not is_own:
        return
    with _locked(folder) as is_free:
        if is_free:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    """Lock a folder for as long as the process lives; yield whether nobody else has."""
    if sys.platform == "win32":  # It locks no folders: what a killed run left stays.
        yield False
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        is_free = False
        with suppress(BlockingIOError):
            is_free = lock(descriptor)
        yield is_free
    finally:
        os.close(descriptor)

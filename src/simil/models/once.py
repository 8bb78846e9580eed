"""Folders that are made once and then only read: whole or not at all, by one process at a time."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

__all__ = ["SaveFailed", "is_made", "made_once"]

_META = "meta.json"
_NEW = ".new-"
_UNUSED_DAYS = 30


class SaveFailed(Exception):
    """What was to be made cannot be written."""


def is_made(target: Path) -> bool:
    """Say whether `target` is there and whole: mapping a file that was cut would crash."""
    try:
        sizes = json.loads((target / _META).read_bytes())["sizes"]
        if any((target / name).stat().st_size != size for name, size in sizes.items()):
            return False
        if time.time() - target.stat().st_mtime > 86_400:
            os.utime(target)  # In use: see `_prune`.
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False
    return True


def made_once(target: Path, make: Callable[[Path], None]) -> None:
    """Have `make` fill a temporary folder that becomes `target`, unless another process has just done so.

    Raises OSError where nothing can be written, `SaveFailed` where what was made is not there.
    """
    from filelock import FileLock

    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{target}.lock"):
        if is_made(target):
            return
        unfinished = f"{_NEW}{target.name}-"
        for left in target.parent.glob(f"{unfinished}*"):  # By a process that was killed: the lock is ours.
            shutil.rmtree(left, ignore_errors=True)
        temporary = Path(tempfile.mkdtemp(prefix=unfinished, dir=target.parent))
        try:
            make(temporary)
            sizes = {path.name: path.stat().st_size for path in temporary.iterdir()}
            (temporary / _META).write_text(json.dumps({"sizes": sizes}), "utf-8")
            if target.exists():
                shutil.rmtree(target)
            temporary.rename(target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        _prune(target.parent)
    if not is_made(target):
        raise SaveFailed("what was written is not there")


def _prune(root: Path) -> None:
    """Remove what no run has used for a month (other versions, other states), and what a killed run left."""
    for path in root.iterdir():
        with suppress(OSError):
            days = 1 if path.name.startswith(_NEW) else _UNUSED_DAYS
            if time.time() - path.stat().st_mtime > days * 86_400:
                shutil.rmtree(path) if path.is_dir() else path.unlink()

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
from typing import Any

__all__ = ["SaveFailed", "is_made", "is_whole", "made_of", "made_once"]

_META = "meta.json"
_NEW = ".new-"
_UNUSED_DAYS = 30
_DAY_S = 86_400


class SaveFailed(Exception):
    """What was to be made cannot be written."""


def is_made(target: Path) -> bool:
    """Say whether `target` is there and whole, and note that it is in use: see `_prune`."""
    if not is_whole(target):
        return False
    with suppress(OSError):
        if time.time() - target.stat().st_mtime > _DAY_S:
            os.utime(target)
    return True


def is_whole(target: Path) -> bool:
    """Say whether `target` is there and whole: mapping a file that was cut would crash."""
    try:
        sizes = _meta(target)["sizes"]
        return all((target / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def made_of(model: str, root: Path) -> list[Path]:
    """Return the folders in `root` that were made of a model, whole or not, of whatever state and version."""
    found: list[Path] = []
    try:
        targets = sorted(root.glob("*/"))
    except OSError:  # What may not be looked into holds nothing for us.
        return found
    for target in targets:
        with suppress(OSError, ValueError, KeyError, TypeError):
            if _meta(target)["model"] == model:
                found.append(target)
    return found


def _meta(target: Path) -> dict[str, Any]:
    meta: dict[str, Any] = json.loads((target / _META).read_bytes())
    return meta


def made_once(target: Path, make: Callable[[Path], None], *, model: str) -> None:
    """Have `make` fill a temporary folder that becomes `target`, unless another process has just done so.

    `model` names what it is made of, for `made_of`. Raises OSError where nothing can be written,
    `SaveFailed` where what was made is not there.
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
            (temporary / _META).write_text(json.dumps({"model": model, "sizes": sizes}), "utf-8")
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
            if time.time() - path.stat().st_mtime > days * _DAY_S:
                shutil.rmtree(path) if path.is_dir() else path.unlink()

"""Folders that are built once, by one process at a time, and then only read: complete or absent."""

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

from simil.private_files import FILE_MODE, make_private

__all__ = ["BuildFailed", "build_once", "built_from", "is_complete", "mark_used"]

_MANIFEST = "meta.json"
_UNFINISHED = ".new-"
_UNUSED_DAYS = 30
_DAY_S = 86_400


class BuildFailed(Exception):
    """The folder could not be built."""


def is_complete(target: Path) -> bool:
    """Say whether `target` exists with every file at its full size: mapping a truncated file would crash."""
    try:
        sizes = _read_manifest(target)["sizes"]
        return all((target / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def mark_used(target: Path) -> None:
    """Record, once a day, that `target` is in use, so that it is not pruned."""
    with suppress(OSError):
        if time.time() - target.stat().st_mtime > _DAY_S:
            os.utime(target)


def built_from(model: str, root: Path) -> list[Path]:
    """Return the folders in `root` that were built from a model, in any state and by any version."""
    found: list[Path] = []
    try:
        targets = sorted(root.glob("*/"))
    except OSError:  # A folder that may not be read holds nothing of use.
        return found
    for target in targets:
        with suppress(OSError, ValueError, KeyError, TypeError):
            if _read_manifest(target)["model"] == model:
                found.append(target)
    return found


def _read_manifest(target: Path) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((target / _MANIFEST).read_bytes())
    return manifest


def build_once(target: Path, build: Callable[[Path], None], *, model: str) -> None:
    """Have `build` fill a temporary folder that becomes `target`, unless `target` is already complete.

    `model` names what it is built from, for `built_from`. Raises OSError if nothing can be written,
    `BuildFailed` if the result is not complete.
    """
    from filelock import FileLock

    make_private(target.parent.parent, target.parent)
    with FileLock(f"{target}.lock", mode=FILE_MODE):
        if is_complete(target):
            mark_used(target)
            return
        unfinished = f"{_UNFINISHED}{target.name}-"
        for left in target.parent.glob(f"{unfinished}*"):  # By a process that was killed: the lock is ours.
            shutil.rmtree(left, ignore_errors=True)
        temporary = Path(tempfile.mkdtemp(prefix=unfinished, dir=target.parent))
        try:
            build(temporary)
            sizes = {path.name: path.stat().st_size for path in temporary.iterdir()}
            (temporary / _MANIFEST).write_text(json.dumps({"model": model, "sizes": sizes}), "utf-8")
            with suppress(OSError):  # Not every file system has modes.
                for path in temporary.iterdir():
                    path.chmod(FILE_MODE)
            if target.exists():
                shutil.rmtree(target)
            temporary.rename(target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        _prune(target.parent)
    if not is_complete(target):
        raise BuildFailed("what was written is not there")


def _prune(root: Path) -> None:
    """Remove folders that no run has used for a month, and those that a killed run left unfinished."""
    for path in root.iterdir():
        with suppress(OSError):
            days = 1 if path.name.startswith(_UNFINISHED) else _UNUSED_DAYS
            if time.time() - path.stat().st_mtime > days * _DAY_S:
                shutil.rmtree(path) if path.is_dir() else path.unlink()

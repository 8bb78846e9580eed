"""Folders and files of simil that only this user may read: caches, calibrations, settings.

What is made here is private whatever the umask; what exists keeps its mode, which `simil doctor` checks.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path

__all__ = ["FILE_MODE", "make_private", "open_to_others", "user_folder", "write_private"]

FILE_MODE = 0o600
_FOLDER_MODE = 0o700
# The variable that names the folder of all programs, and where that is without it.
_XDG = {"cache": ("XDG_CACHE_HOME", ".cache"), "config": ("XDG_CONFIG_HOME", ".config")}
# What group and others may do: read or write a file, write to a folder, do anything with a folder.
_USE_FILE, _WRITE, _ENTER = 0o066, 0o022, 0o077


def user_folder(kind: str) -> Path:
    """Return simil's folder for the "cache" or the "config" of this user; it need not exist."""
    return _plain_user_folder(kind) or _user_folder(kind)


def _plain_user_folder(kind: str) -> Path | None:
    """Return the folder where the XDG Base Directory Specification leaves no question, else None.

    That is what platformdirs says, too, whose import takes longer than to read a vector from the cache.
    """
    if sys.platform != "linux" or "ANDROID_DATA" in os.environ:
        return None
    variable, below_home = _XDG[kind]
    given, home = os.environ.get(variable, ""), os.environ.get("HOME", "")
    if given:
        return Path(given, "simil") if given.startswith("/") and given == given.strip() else None
    return Path(home, below_home, "simil") if home.startswith("/") else None


def _user_folder(kind: str) -> Path:
    import platformdirs

    folder = platformdirs.user_cache_path if kind == "cache" else platformdirs.user_config_path
    return folder("simil", appauthor=False)


def make_private(*folders: Path) -> None:
    """Make each of `folders` that is missing, private; missing parents get the usual mode. Raises OSError."""
    for folder in folders:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(_FOLDER_MODE, exist_ok=True)


def write_private(path: Path, content: bytes) -> None:
    """Write a file in an existing folder; it appears complete or not at all, and private. Raises OSError."""
    import tempfile

    number, name = tempfile.mkstemp(prefix=f"{path.name}.", suffix=".tmp", dir=path.parent)
    draft = Path(name)
    try:
        with os.fdopen(number, "wb") as file:
            file.write(content)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def open_to_others(root: Path, names: Collection[str]) -> Iterator[Path]:
    """Yield what other users can reach and use: files to read or write, folders to write to.

    Looks at the folder `root`, at those of `names` that are in it, and at what is in these.
    """
    if os.name == "nt":  # Where the mode says nothing of others.
        return
    with suppress(OSError):
        mode = root.stat().st_mode
        if mode & _WRITE:
            yield root
        if mode & _ENTER:
            for name in names:
                yield from _open_below(root / name)


def _open_below(path: Path) -> Iterator[Path]:
    with suppress(OSError):
        mode, is_folder = path.stat().st_mode, path.is_dir()
        if mode & (_WRITE if is_folder else _USE_FILE):
            yield path
        if is_folder and mode & _ENTER:
            for inner in sorted(path.iterdir()):
                yield from _open_below(inner)

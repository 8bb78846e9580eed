"""Lists the files of a run: named ones, those of folders, and those that a pattern matches."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Sequence
from pathlib import Path

from simil.errors import InputError, Place, UsageError
from simil.formats.part_files import part_files
from simil.runners.input_source import InputFile

__all__ = ["list_inputs"]

_PATTERN = "*?["


def list_inputs(names: Sequence[str]) -> list[list[InputFile]]:
    """Return the files of each source, in the order in which one process would read them.

    A folder of Parquet files is one source, with a file for each. Raises `InputError` for what is not there,
    `UsageError` for what can be read only once.
    """
    if not names or "-" in names:
        raise UsageError(
            "--on ray reads files that all machines can open, not standard input", hint="name files"
        )
    return [source for name in names for source in _expanded(name)]


def _expanded(name: str) -> list[list[InputFile]]:
    if not os.path.lexists(name) and any(mark in name for mark in _PATTERN):
        found = sorted(path for path in glob.glob(name, recursive=True) if not Path(path).is_dir())  # noqa: PTH207
        if not found:
            raise InputError("no file matches", place=Place(name), hint="check the pattern")
        return [[_file(path, path)] for path in found]
    if Path(name).is_dir():
        parts = part_files(name)
        if parts is not None:
            return [[_file(str(part), name) for part in parts]]
        inside = sorted(entry for entry in Path(name).iterdir() if not entry.name.startswith((".", "_")))
        if not inside:
            raise InputError("is an empty folder", place=Place(name))
        return [[_file(str(entry), str(entry))] for entry in inside]
    return [[_file(name, name)]]


def _file(path: str, name: str) -> InputFile:
    try:
        found = Path(path).stat()
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else str(exc)
        raise InputError(f"cannot be read: {reason}", place=Place(name)) from exc
    if not stat.S_ISREG(found.st_mode):
        raise UsageError(
            "is no regular file: --on ray reads files that all machines can open",
            place=Place(name),
            hint="name files, or a folder that holds only files",
        )
    return InputFile(str(Path(path).absolute()), name, found.st_size, str(found.st_mtime_ns))

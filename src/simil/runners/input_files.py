"""Lists the files of a run: named ones, those of folders, and those that a pattern matches."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from simil.errors import InputError, Place, UsageError
from simil.formats.lance_paths import is_lance
from simil.formats.part_files import part_files
from simil.formats.remote_paths import is_remote
from simil.formats.sources import Source
from simil.runners.input_source import InputFile
from simil.runners.object_stores import list_objects, matching_objects

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
    if is_lance(name):
        raise UsageError("holds vectors already: there is nothing to embed", place=Place(name))
    return _expanded_address(name) if is_remote(name) else _expanded_path(name)


def _expanded_address(name: str) -> list[list[InputFile]]:
    is_pattern = any(mark in name for mark in _PATTERN)
    found = matching_objects(name) if is_pattern else list_objects(name)
    # Writers of tables leave files beside their parts, whose names begin so.
    seen = [one for one in found if not one.address.rpartition("/")[2].startswith((".", "_")) and one.size]
    if not seen:
        what = "no object matches" if is_pattern else "there is no such object, or folder with any"
        raise InputError(what, place=Place(name), hint="check the address")
    files = [InputFile(one.address, one.address, one.size, one.written) for one in seen]
    is_folder = not is_pattern and files[0].path != name
    if is_folder and all(file.path.lower().endswith((".parquet", ".pq")) for file in files):
        return [[replace(file, name=name) for file in files]]
    return [[file] for file in files]


def _expanded_path(name: str) -> list[list[InputFile]]:
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
    Source(path).check()
    found = Path(path).stat()
    if not stat.S_ISREG(found.st_mode):
        raise UsageError(
            "is not a regular file: --on ray reads files that all machines can open",
            place=Place(name),
            hint="name files, or a folder that holds only files",
        )
    return InputFile(str(Path(path).absolute()), name, found.st_size, str(found.st_mtime_ns))

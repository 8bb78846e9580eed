"""The end of a run one of whose mapped files was cut: a line and an exit code, where the system kills.

ONNX Runtime maps the weights of models, and vector files are mapped here. Where a page of a map has no bytes
in its file any more, the system sends SIGBUS to the thread that reads it. A handler of Python's would run
after the instruction that fails, which never ends; so this one is called by C.
"""

from __future__ import annotations

import mmap
import os
import re
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from simil.cli.output.cells import visible
from simil.cli.output.output_file import remove_unfinished
from simil.errors import ModelDamaged, Place, SimilError
from simil.formats.file_maps import check_maps

__all__ = ["end_at_bus_errors"]

# A line of /proc/self/maps: addresses, rights, the offset in the file, its device and inode, its path.
_MAP = re.compile(r"([0-9a-f]+)-([0-9a-f]+) \S+ ([0-9a-f]+) \S+ [1-9][0-9]* +(/.*)")

_installed: list[Any] = []
_ending = threading.Lock()


def end_at_bus_errors() -> None:
    """Let a bus error end this process with one line on stderr: exit code 3 for an input, 4 for a model."""
    if _installed or not hasattr(signal, "SIGBUS"):
        return
    import ctypes

    handler = ctypes.CFUNCTYPE(None, ctypes.c_int)(_end)
    _installed.append(handler)  # C keeps no reference.
    install = ctypes.CDLL(None).signal
    install.argtypes, install.restype = (ctypes.c_int, ctypes.c_void_p), ctypes.c_void_p
    install(signal.SIGBUS, ctypes.cast(handler, ctypes.c_void_p))


def _end(number: int) -> NoReturn:
    if not _ending.acquire(blocking=False):
        while True:  # Another thread ends the process.
            time.sleep(1)
    fault = _fault()
    # Past Python's streams: the thread that was interrupted may hold their locks.
    os.write(2, f"simil: {visible(str(fault))}\n".encode("utf-8", "backslashreplace"))
    remove_unfinished()
    os._exit(fault.exit_code)


def _fault() -> SimilError:
    try:
        check_maps()
    except SimilError as exc:
        return exc
    path = next(_cut_files(), None)
    if path is None:
        return ModelDamaged("a mapped file cannot be read", hint="check the disk; simil doctor checks models")
    return ModelDamaged(
        "was cut while it was in use", hint="run again; simil doctor checks models", place=Place(path)
    )


def _cut_files() -> Iterator[str]:
    """Yield the files that have become shorter than what is mapped of them."""
    for line in Path("/proc/self/maps").read_text("utf-8", "surrogateescape").splitlines():
        if found := _MAP.fullmatch(line):
            start, end, offset = (int(number, 16) for number in found.groups()[:3])
            try:
                size = Path(found[4]).stat().st_size
            except OSError:
                continue
            if offset + end - start >= size + mmap.PAGESIZE:
                yield found[4]

"""Standard output: what the command says goes there, what anything else in its process prints to stderr.

A plug-in or a library may print whenever it likes, from Python, from C or from a process of its own, which
inherits the descriptor. So the command writes through a descriptor that only it knows, and `reserve_stdout`
then leads descriptor 1 and `sys.stdout` to stderr, for good: runs have threads.
"""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import TextIO

__all__ = [
    "in_command",
    "keep_streams",
    "path_of_output",
    "reserve_stdout",
    "stderr",
    "stdout",
    "terminal_size",
]

_OWN_NAMES = ("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", f"/proc/{os.getpid()}/fd/1")
_MOST_LINKS = 40
_out: TextIO | None = None
_err: TextIO | None = None


def stdout() -> TextIO:
    """Return the stream for data: standard output, whatever `sys.stdout` is by now."""
    return sys.stdout if _out is None else _out


def stderr() -> TextIO:
    """Return the stream for messages: standard error, whatever `sys.stderr` is by now."""
    return sys.stderr if _err is None else _err


def keep_streams(out: TextIO, err: TextIO) -> None:
    """Make these the streams of the command; `out` must not write to descriptor 1."""
    global _out, _err  # noqa: PLW0603 (state of the process)
    sys.stdout = _out = out
    sys.stderr = _err = err


def in_command() -> bool:
    """Return whether this is a process of the command, in which no program of others runs."""
    return _out is not None


def reserve_stdout() -> None:
    """Lead what others print to stderr from now on; only in a process of the command."""
    if _out is None or sys.stdout is not _out:
        return
    os.dup2(2, 1)
    others = open(1, "wb", closefd=False)  # noqa: SIM115 (open to the end)
    sys.stdout = io.TextIOWrapper(others, "utf-8", "backslashreplace", line_buffering=True)


def path_of_output(path: Path) -> Path:
    """Return `path`, or where standard output is now if that is what it names, as /dev/stdout does."""
    name = os.path.abspath(path)  # noqa: PTH100 (links are followed one by one)
    for _ in range(_MOST_LINKS):
        if name in _OWN_NAMES:
            return path if _out is None else Path(f"/dev/fd/{_out.fileno()}")
        try:
            name = os.path.join(os.path.dirname(name), os.readlink(name))  # noqa: PTH115, PTH118, PTH120
        except OSError:
            break
    return path


def terminal_size() -> os.terminal_size:
    """Return the columns and lines of the terminal that standard output leads to; 80 and 24 where to none.

    The variables COLUMNS and LINES take precedence, as in `shutil.get_terminal_size`.
    """
    sizes = [os.environ.get(name, "") for name in ("COLUMNS", "LINES")]
    columns, lines = (int(size) if size.isdecimal() else 0 for size in sizes)
    try:
        there = os.get_terminal_size(stdout().fileno())
    except (OSError, ValueError):
        there = os.terminal_size((80, 24))
    return os.terminal_size((columns or there.columns or 80, lines or there.lines or 24))

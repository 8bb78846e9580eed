"""Whole processes and how long they take, how much memory they need; two sides by turns.

Nothing heavy may be imported here or in a script that calls `run`: what Linux reports as a child's
peak memory is never less than that of the process that started it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

__all__ = ["MeasurementFailed", "Usage", "by_turns", "run"]

T = TypeVar("T")

_RSS_UNIT = 1 if sys.platform == "darwin" else 1024


class MeasurementFailed(Exception):
    """A side ended badly, or did other work than asked; its time would mean nothing."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What one process took: wall time in seconds, peak resident memory in bytes, and what it printed."""

    seconds: float
    peak_bytes: int
    stdout: str


def run(
    command: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    stdin: Path | None = None,
    discard: bool = False,
) -> Usage:
    """Run `command` to its end; with `discard` its stdout goes to /dev/null.

    Raises `MeasurementFailed` with the end of its stderr when it ends with another code than 0.
    """
    with (
        Path(stdin or os.devnull).open("rb") as source,
        Path(os.devnull).open("wb") if discard else tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
    ):
        began = time.perf_counter()
        process = subprocess.Popen(command, stdin=source, stdout=out, stderr=err, env=env, cwd=cwd)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            err.seek(0)
            said = err.read().decode(errors="replace").strip()[-2000:]
            raise MeasurementFailed(f"{' '.join(command)} ended with {process.returncode}:\n{said}")
        if not discard:
            out.seek(0)
        return Usage(seconds, usage.ru_maxrss * _RSS_UNIT, "" if discard else out.read().decode())


def by_turns(
    peer: Callable[[], T], ours: Callable[[], T], repeat: int, *, warm: bool = True
) -> tuple[list[T], list[T]]:
    """Return `repeat` results of each side, measured peer, ours, peer, ours, …

    What slows the machine for a while then falls on both. `warm` runs each side once before, uncounted.
    """
    if warm:
        peer()
        ours()
    pairs = [(peer(), ours()) for _ in range(repeat)]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]

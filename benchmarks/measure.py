"""The time and memory of whole processes, with sides measured in turn.

Import nothing heavy here or in a script that calls `run`: on Linux, the reported peak memory of a child is
never less than that of the process that started it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeVar

from machine_load import MOST_BY_OTHERS, available_processors, cpu_time, others_between

__all__ = ["ANY_LOAD", "Disturbed", "MeasurementFailed", "Usage", "by_turns", "end_of", "run", "undisturbed"]

T = TypeVar("T")

# Set in the environment, figures are taken on a busy machine, too: of the tests, for instance.
ANY_LOAD = "SIMIL_BENCH_ANY_LOAD"

# The system counts the processors' time in hundredths of a second, so a shorter time tells nothing of others.
_TELLING_S = 0.2

_RSS_UNIT = 1 if sys.platform == "darwin" else 1024


class MeasurementFailed(Exception):
    """A side failed, or did different work, so that its time would mean nothing."""


class Disturbed(Exception):
    """Others took so much of the processors that what was measured says nothing."""


@dataclass(frozen=True, slots=True)
class Usage:
    """The result of a process: wall time in seconds, peak resident memory in bytes, and its output."""

    seconds: float
    peak_bytes: int
    stdout: str
    stderr: str


def run(
    command: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    stdin: Path | None = None,
    discard: bool = False,
) -> Usage:
    """Run `command` to its end; with `discard` its stdout goes to /dev/null.

    Raises `MeasurementFailed` with the end of its stderr if its exit code is not 0.
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
            raise MeasurementFailed(f"{' '.join(command)} ended with {process.returncode}:\n{end_of(err)}")
        printed = "" if discard else _contents(out)
        return Usage(seconds, usage.ru_maxrss * _RSS_UNIT, printed, _contents(err))


@contextmanager
def undisturbed() -> Iterator[None]:
    """Raise `Disturbed` at the end of the block if others took over a tenth of the processors meanwhile."""
    before = cpu_time()
    yield
    after = cpu_time()
    if before is None or after is None or after.clock - before.clock < _TELLING_S:
        return
    others, cores = others_between(before, after), len(available_processors())
    if others > MOST_BY_OTHERS * cores and os.environ.get(ANY_LOAD) is None:
        raise Disturbed(f"others took {others:.2g} of {cores} core{'s' if cores > 1 else ''}")


def by_turns(
    sides: Mapping[str, Callable[[], T]], repeat: int, *, warm: bool = True, timed: bool = True
) -> dict[str, list[T]]:
    """Return `repeat` results of each side, measured round by round.

    So a temporary slowdown of the machine affects all sides. `warm` runs each side once before, uncounted.
    What is not a matter of time is not `timed`. Raises `Disturbed` for what is, as `undisturbed` does.
    """
    if warm:
        for side in sides.values():
            side()
    results: dict[str, list[T]] = {name: [] for name in sides}
    with undisturbed() if timed else nullcontext():
        for _ in range(repeat):
            for name, side in sides.items():
                results[name].append(side())
    return results


def end_of(err: IO[bytes]) -> str:
    """Return the end of the file that a process had as stderr."""
    return _contents(err).strip()[-2000:]


def _contents(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read().decode(errors="replace")

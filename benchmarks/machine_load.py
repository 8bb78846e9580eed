"""How much of the processors others take while something is measured.

The system's load average counts what is measured, too. So this reads how long the processors that this
process may use were busy, and takes off what it and all processes that it started have used. What other
virtual machines took (steal) counts as others. Known on Linux only.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from descendants import tree

__all__ = [
    "MOST_BY_OTHERS", "CpuTime", "available_processors", "busy_seconds", "cpu_time", "one_core",
    "others_between",
]  # fmt: skip

# The share of the processors that others may take: more than a quiet system needs, less than one can see in
# a figure.
MOST_BY_OTHERS = 0.1

_STAT = Path("/proc/stat")
_TICKS = os.sysconf("SC_CLK_TCK")
# user, nice, system, irq, softirq and steal; idle, iowait, and guests, which user contains, are none of it.
_BUSY = (0, 1, 2, 5, 6, 7)


@dataclass(frozen=True, slots=True)
class CpuTime:
    """Seconds: of the clock, of the processors' work, and of the part that is this process tree's."""

    clock: float
    busy: float
    ours: float


def available_processors() -> set[int]:
    """Return the processors that this process may use, and those that it starts."""
    try:
        return os.sched_getaffinity(0)
    except AttributeError:  # Linux only.
        return set(range(os.cpu_count() or 1))


def cpu_time() -> CpuTime | None:
    """Return the time used so far; None where the system does not say."""
    try:
        busy = busy_seconds(_STAT.read_text("ascii"), available_processors())
        return CpuTime(time.monotonic(), busy, sum(map(_seconds_of, tree(os.getpid()))))
    except OSError:
        return None


def others_between(before: CpuTime, after: CpuTime) -> float:
    """Return how many processors others kept busy, on average."""
    spent = (after.busy - before.busy) - (after.ours - before.ours)
    return max(0.0, spent / (after.clock - before.clock))


def busy_seconds(stat: str, processors: set[int]) -> float:
    """Return how long some processors have been busy since the start, by the text of /proc/stat."""
    fields = [line.split() for line in stat.splitlines()]
    wanted = {f"cpu{number}" for number in processors}
    return sum(int(counts[place]) for name, *counts in fields if name in wanted for place in _BUSY) / _TICKS


@contextmanager
def one_core() -> Iterator[None]:
    """Bind this process, and so all that it starts meanwhile, to the last of its cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _seconds_of(pid: int) -> float:
    """Return the time of a process and of its children that have ended; 0 if it has ended itself."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0.0
    # The second field is a name in parentheses that may hold anything.
    return sum(map(int, stat.rpartition(")")[2].split()[11:15])) / _TICKS

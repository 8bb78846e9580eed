"""The peak memory of a process and all that it starts, sampled while it runs. On Linux only."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from descendants import tree
from measure import MeasurementFailed

__all__ = ["TreePeak", "run_tree"]

_EVERY_S = 0.02


@dataclass(frozen=True, slots=True)
class TreePeak:
    """Seconds, and peaks in bytes of all processes together: resident memory, and the part that is no file's.

    Pages of mapped files count as resident, though the system takes them back when it needs memory.
    """

    seconds: float
    resident: int
    anonymous: int
    stderr: str


def run_tree(command: Sequence[str], *, env: Mapping[str, str], cwd: Path) -> TreePeak:
    """Run a command to its end; raises `MeasurementFailed` if its exit code is not 0."""
    log = cwd / "tree.err"
    resident = anonymous = 0
    with log.open("wb") as err:
        began = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=err, env=env, cwd=cwd)
        while process.poll() is None:
            memory = [_memory(pid) for pid in tree(process.pid)]
            resident = max(resident, sum(most for most, _ in memory))
            anonymous = max(anonymous, sum(own for _, own in memory))
            time.sleep(_EVERY_S)
        seconds = time.perf_counter() - began
    said = log.read_text(errors="replace")
    if process.returncode:
        raise MeasurementFailed(f"{' '.join(command)} ended with {process.returncode}:\n{said[-2000:]}")
    return TreePeak(seconds, resident, anonymous, said)


def _memory(pid: int) -> tuple[int, int]:
    """Return the resident bytes of a process, and those that are its own; zeros if it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0, 0
    sizes = {key: value for key, _, value in (line.partition(":") for line in lines)}
    resident, own = (int(sizes.get(key, "0").split()[0]) * 1024 for key in ("VmRSS", "RssAnon"))
    return resident, own

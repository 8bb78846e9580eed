"""How many cores this process may compute on."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["physical_cores"]

_CPUS = Path("/sys/devices/system/cpu")
_CGROUP = Path("/sys/fs/cgroup/cpu.max")


def physical_cores() -> int:
    """Return how many physical cores this process may use, at least 1.

    Two hyper-threads of a core share its multipliers, so more threads than cores slow matrix products
    down. Heeded are the processors the process is bound to and, on Linux, a container's quota; where
    the system does not tell cores from threads, its count of processors.
    """
    try:
        allowed = os.sched_getaffinity(0)
    except (AttributeError, OSError):  # Linux only.
        return os.cpu_count() or 1
    cores = {_core_of(processor) for processor in allowed}
    return max(1, min(len(cores), _quota() or len(cores)))


def _core_of(processor: int) -> tuple[str, str]:
    """Name the core of a processor by its package and number; the processor itself where it is unknown."""
    topology = _CPUS / f"cpu{processor}" / "topology"
    try:
        return (topology / "physical_package_id").read_text(), (topology / "core_id").read_text()
    except OSError:
        return "", str(processor)


def _quota() -> int | None:
    """Return the processors' worth of time that a container is given (cgroup v2), None for no limit."""
    try:
        quota, period = _CGROUP.read_text("ascii").split()
        return None if quota == "max" else max(1, round(int(quota) / int(period)))
    except (OSError, ValueError, ZeroDivisionError):
        return None

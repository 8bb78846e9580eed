"""How many cores this process may compute on, and of which kind."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["physical_cores", "processor_facts"]

# What matrix products use of x86 and ARM processors.
_FEATURES = (
    *("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_bf16", "amx_int8"),
    *("asimd", "bf16", "i8mm"),
)

_CPUS = Path("/sys/devices/system/cpu")
_CPUINFO = Path("/proc/cpuinfo")
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


def processor_facts() -> tuple[str, list[str]]:
    """Return the processor's name and those of its features that matrix products use; none off Linux."""
    import platform

    try:
        lines = _CPUINFO.read_text("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    fields = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    known = (fields.get("flags") or fields.get("Features") or "").split()
    name = fields.get("model name") or platform.processor() or platform.machine()
    return name, [feature for feature in _FEATURES if feature in known]


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

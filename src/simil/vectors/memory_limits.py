"""How much memory this process may still use."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

__all__ = ["free_memory"]

_MEMINFO = Path("/proc/meminfo")
_CGROUP = Path("/sys/fs/cgroup")


def free_memory() -> int:
    """Return how many bytes are free, for this machine and for the container around the process.

    Where neither says, as outside of Linux, that is more than any dataset takes.
    """
    return min(_free_of_machine(), _free_of_container())


def _free_of_machine() -> int:
    with suppress(OSError, ValueError):
        for line in _MEMINFO.read_text("ascii").splitlines():
            name, _, rest = line.partition(":")
            if name == "MemAvailable":
                return int(rest.split()[0]) * 1024
    return 1 << 62


def _free_of_container() -> int:
    with suppress(OSError, ValueError):
        limit = int((_CGROUP / "memory.max").read_text("ascii"))
        return max(limit - int((_CGROUP / "memory.current").read_text("ascii")), 0)
    return 1 << 62

"""How much memory data may take: a share of what the machine, its container and the user leave."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from simil.errors import UsageError

__all__ = ["LIMIT", "free_memory", "readable_size", "usable_memory"]

LIMIT = "SIMIL_MEMORY_LIMIT"
"""The environment variable by which the user lets data take less memory than there is."""

# The rest is for the libraries, for the system, and for what sizes of Python's objects are wrong by.
_SHARE = 0.75
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,9})?)\s*([kmgt]?)b?", re.IGNORECASE)


def usable_memory() -> int | None:
    """Return how many bytes data may take: a share of the free memory, at most the user's limit.

    None where neither is known. Raises `UsageError` for a limit that is no size.
    """
    free, limit = free_memory(), _limit_of_user()
    sizes = [size for size in (None if free is None else int(free * _SHARE), limit) if size is not None]
    return min(sizes, default=None)


def free_memory(root: Path = Path("/")) -> int | None:
    """Return how many bytes a process can take before the system has no more; None if it does not say.

    What a container leaves is counted as Docker and Kubernetes do: file pages that were not used of late
    give way. `root` is the folder with the system's /proc and /sys.
    """
    sizes = [
        size for size in (_available(root), *_left_in_groups(root), _address_space()) if size is not None
    ]
    return max(0, min(sizes)) if sizes else None


def readable_size(size: int) -> str:
    """Return a number of bytes as people read it, by powers of 1000."""
    for unit, name in ((10**9, "GB"), (10**6, "MB")):
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size / 1000:.0f} kB"


def _limit_of_user() -> int | None:
    given = os.environ.get(LIMIT, "").strip()
    if not given:
        return None
    match = _SIZE.fullmatch(given)
    if match is None:
        raise UsageError(f"{LIMIT} is not a size: {given[:40]!r}", hint="give one such as 2GB or 500MB")
    return int(float(match[1]) * _UNITS[match[2].lower()])


def _available(root: Path) -> int | None:
    """Return what the machine has free, with pages of files that give way."""
    for line in _text(root / "proc/meminfo").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    if sys.platform == "win32":
        return None
    try:
        # Systems without /proc do not say how much is free in a way that needs no other program.
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (ValueError, OSError):
        return None


def _left_in_groups(root: Path) -> Iterator[int]:
    """Yield what each control group of the process leaves, of version 1 and 2, and each group around it."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if not controllers:
            mount, names = root / "sys/fs/cgroup", ("memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            mount = root / "sys/fs/cgroup/memory"
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        else:
            continue
        # In a container, the path may be that on the host, of which only the top is mounted.
        own = mount / path.lstrip("/")
        for folder in (own, *own.parents):
            if not folder.is_relative_to(mount):
                break
            limit, used = (_text(folder / name).strip() for name in names[:2])
            if limit.isdigit() and used.isdigit():
                yield int(limit) - int(used) + _statistic(folder / "memory.stat", names[2])


def _statistic(path: Path, name: str) -> int:
    return next((int(line.split()[1]) for line in _text(path).splitlines() if line.split()[:1] == [name]), 0)


def _address_space() -> int | None:
    """Return what `ulimit -v` leaves, None without such a limit."""
    if sys.platform == "win32":
        return None
    import resource

    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    taken = _text(Path("/proc/self/statm")).split()
    if limit == resource.RLIM_INFINITY or not taken:
        return None
    return limit - int(taken[0]) * os.sysconf("SC_PAGE_SIZE")


def _text(path: Path) -> str:
    try:
        return path.read_text("ascii", "replace")
    except OSError:
        return ""

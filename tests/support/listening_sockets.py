"""The sockets at which a process and its descendants listen, read from /proc."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

__all__ = ["descendants", "listening_addresses"]

_LISTEN = "0A"


def descendants(pid: int) -> list[int]:
    """Return the ids of a process and of all below it."""
    found = [pid]
    for each in found:
        for task in Path("/proc", str(each), "task").glob("*/children"):
            with suppress(OSError):
                found += map(int, task.read_text("ascii").split())
    return found


def listening_addresses(pids: list[int]) -> set[str]:
    """Return the addresses, in the kernel's hexadecimal form, at which any of the processes listens."""
    inodes = {inode for pid in pids for inode in _sockets(pid)}
    return {
        address
        for table in ("tcp", "tcp6")
        for address, state, inode in _rows(Path("/proc/net", table))
        if state == _LISTEN and inode in inodes
    }


def _sockets(pid: int) -> Iterator[str]:
    with suppress(OSError):
        for entry in Path("/proc", str(pid), "fd").iterdir():
            with suppress(OSError):
                target = str(entry.readlink())
                if target.startswith("socket:["):
                    yield target.removeprefix("socket:[").removesuffix("]")


def _rows(table: Path) -> Iterator[tuple[str, str, str]]:
    for line in table.read_text("ascii").splitlines()[1:]:
        cells = line.split()
        yield cells[1].partition(":")[0], cells[3], cells[9]

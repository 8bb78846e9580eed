"""A process and all that it started. On Linux only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

__all__ = ["tree"]


def tree(pid: int) -> Iterator[int]:
    """Yield a process and all that it started and that still run."""
    yield pid
    try:
        children = [
            child
            for task in Path(f"/proc/{pid}/task").iterdir()
            for child in (task / "children").read_text().split()
        ]
    except OSError:  # It has ended.
        return
    for child in children:
        yield from tree(int(child))

"""What Ctrl-C leaves, in one line at the very end: only then is everything stored that will be."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from simil.foreign import first_signal

__all__ = ["count_kept", "print_interrupt_note"]

_counts: list[Callable[[], int]] = []


def count_kept(count: Callable[[], int]) -> None:
    """Have `count` asked, after Ctrl-C, how many vectors of this run the next one will find."""
    _counts.append(count)


def print_interrupt_note() -> None:
    """Print once, after Ctrl-C, what the next run need not compute again."""
    counts = _counts.copy()
    _counts.clear()
    kept = sum(count() for count in counts)
    if kept and first_signal() == signal.SIGINT:
        are = "vector is" if kept == 1 else "vectors are"
        line = f"simil: interrupted; {kept:,} {are} kept: run the same command again\n"
        # Past Python's streams: the thread that was interrupted may hold their locks.
        os.write(2, line.encode())

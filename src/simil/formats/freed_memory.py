"""Memory that a scan frees serves its next batch."""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress

__all__ = ["keep_freed_memory"]

# Options of mallopt, as in malloc.h, and their values.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
_SETTINGS = ((_ARENA_MAX, 1), (_MMAP_THRESHOLD, 32 << 20), (_TRIM_THRESHOLD, 256 << 20))


def keep_freed_memory() -> None:
    """Keep up to 256 MB of freed memory in the process; call before a library starts its threads.

    glibc gives blocks as large as a batch back to the system at once, and the new pages of the next batch
    cost more than copying into them: a scan would take three times as long. Does nothing without glibc.
    """
    if sys.platform == "linux":
        with suppress(AttributeError, OSError):
            mallopt = ctypes.CDLL(None).mallopt
            for option, value in _SETTINGS:
                mallopt(option, value)

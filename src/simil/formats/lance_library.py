"""pylance, which the extra [lance] installs."""

from __future__ import annotations

import ctypes
import sys
from contextlib import AbstractContextManager, suppress
from typing import Any

from simil.errors import ExtraMissing, Place
from simil.formats.library_errors import library_errors

__all__ = ["lance", "lance_errors"]

# Options of mallopt, as in malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8


def lance() -> Any:
    """Return the module, with `fragment`; raises ExtraMissing without the extra."""
    if "lance" not in sys.modules:
        _keep_freed_memory()
    try:
        import lance.fragment
    except ImportError as exc:
        raise ExtraMissing("Lance datasets need pylance, which is not installed", extra="lance") from exc
    return lance


def _keep_freed_memory() -> None:
    """Let memory that is freed serve the next batch; call before Lance starts its threads.

    glibc gives blocks as large as a batch back to the system at once, and each new page costs more than copying
    into it: a scan takes three times as long.
    """
    if sys.platform == "linux":
        with suppress(AttributeError, OSError):  # Another C library.
            mallopt = ctypes.CDLL(None).mallopt
            for option, value in ((_ARENA_MAX, 1), (_MMAP_THRESHOLD, 32 << 20), (_TRIM_THRESHOLD, 256 << 20)):
                mallopt(option, value)


def lance_errors(place: Place, what: str = "a sound Lance dataset") -> AbstractContextManager[None]:
    """Turn what Lance raises about the dataset at `place` into InputError."""
    return library_errors(place, what)

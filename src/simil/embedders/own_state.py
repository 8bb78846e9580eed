"""Puts back what a plug-in changes in the process that it shares with simil."""

from __future__ import annotations

import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress

__all__ = ["own_state"]

_SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGPIPE") if hasattr(signal, name)
]


@contextmanager
def own_state() -> Iterator[None]:
    """Undo at the end of the block what would make code of ours fail, or write elsewhere.

    That is the current folder, the umask, signal handlers, the depth of calls, warnings that are errors and
    NumPy's floating-point errors. Threads of a plug-in can still change them later.
    """
    import numpy as np

    folder, mask, limit = _folder(), _umask(), sys.getrecursionlimit()
    handlers = {number: signal.getsignal(number) for number in _SIGNALS}
    filters = [*warnings.filters]
    try:
        with np.errstate():
            yield
    finally:
        # First: with a small limit nothing else could be called.
        sys.setrecursionlimit(limit)
        if folder is not None and _folder() != folder:
            with suppress(OSError):
                os.chdir(folder)
        os.umask(mask)
        for added in [each for each in warnings.filters if each[0] == "error" and each not in filters]:
            warnings.filters.remove(added)  # type: ignore[attr-defined]  # It is a list, of which this is the API.
        if threading.current_thread() is threading.main_thread():
            for number, handler in handlers.items():
                if handler is not None and signal.getsignal(number) is not handler:
                    signal.signal(number, handler)


def _folder() -> str | None:
    try:
        return os.getcwd()  # noqa: PTH109 (a string is compared)
    except OSError:
        return None


def _umask() -> int:
    # It can only be read by setting it; what another thread creates meanwhile is for nobody else.
    mask = os.umask(0o077)
    os.umask(mask)
    return mask

"""Threads of NumPy's matrix products.

OpenBLAS starts a thread per core when NumPy is imported, which takes as long as the rest of a short run. So
a process that may have little to do starts with one thread, and adds the others for the first product that
is large enough.
"""

from __future__ import annotations

import os
import sys
from contextlib import AbstractContextManager, suppress

__all__ = ["cores", "one_thread", "start_with_one_thread", "use_all_cores"]

_VARIABLE = "OPENBLAS_NUM_THREADS"
_WORTH_IT = 1 << 28  # multiplications: some milliseconds of one core
_started_small = False


def start_with_one_thread() -> None:
    """Make OpenBLAS start with one thread; call before NumPy is imported.

    Only for a process of simil itself, since it sets an environment variable. Keeps the user's own setting.
    """
    global _started_small  # noqa: PLW0603 (state of the process)
    if _VARIABLE not in os.environ:
        os.environ[_VARIABLE] = "1"
        _started_small = True


def use_all_cores(multiplications: int) -> None:
    """Use a thread per core if a product is large enough; call before it."""
    global _started_small  # noqa: PLW0603
    if not _started_small or multiplications < _WORTH_IT:
        return
    from threadpoolctl import threadpool_limits

    _started_small = False
    os.environ.pop(_VARIABLE, None)  # Code of others may have removed it.
    threadpool_limits(limits=cores(), user_api="blas")


def one_thread() -> AbstractContextManager[object]:
    """Limit BLAS to one thread within a `with` block, for products so small that several are slower."""
    from threadpoolctl import threadpool_limits

    limits: AbstractContextManager[object] = threadpool_limits(limits=1, user_api="blas")
    return limits


def cores() -> int:
    """Return the number of cores that this process may use."""
    allowed = processors()
    return (os.cpu_count() or 1) if allowed is None else len(allowed)


def processors() -> set[int] | None:
    """Return the logical processors that this process may use, by number; None where nothing tells."""
    if sys.platform == "linux":
        with suppress(AttributeError, OSError):
            return os.sched_getaffinity(0)
    return None

"""How many threads NumPy's matrix products use.

OpenBLAS makes a thread for each core when NumPy is imported, which takes as long as all the rest of a
short run. So a process that may have little to do starts with one, and takes the others for the first
product that is worth it.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager

__all__ = ["one_thread", "start_with_one_thread", "use_all_cores"]

_VARIABLE = "OPENBLAS_NUM_THREADS"
_WORTH_IT = 1 << 28  # multiplications: some milliseconds of one core
_started_small = False


def start_with_one_thread() -> None:
    """Let OpenBLAS start with one thread, before NumPy is imported.

    For a process that belongs to simil: it sets a variable of the environment. What its user has set stays.
    """
    global _started_small  # noqa: PLW0603 (a fact about the process)
    if _VARIABLE not in os.environ:
        os.environ[_VARIABLE] = "1"
        _started_small = True


def use_all_cores(multiplications: int) -> None:
    """Before a product of so many multiplications: have a thread on each core, if it started with one."""
    global _started_small  # noqa: PLW0603
    if not _started_small or multiplications < _WORTH_IT:
        return
    from threadpoolctl import threadpool_limits

    _started_small = False
    del os.environ[_VARIABLE]
    threadpool_limits(limits=_cores(), user_api="blas")


def one_thread() -> AbstractContextManager[object]:
    """Give BLAS one thread, for products so small that several are slower; for a `with` block."""
    from threadpoolctl import threadpool_limits

    limits: AbstractContextManager[object] = threadpool_limits(limits=1, user_api="blas")
    return limits


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except (AttributeError, OSError):  # Linux only.
        return os.cpu_count() or 1

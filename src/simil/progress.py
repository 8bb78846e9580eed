"""How long work tells that it goes on, without knowing who listens.

Lower layers take a `Progress` and open a task on it; the command line hands in one that draws a bar
on a terminal, everyone else gets `silent`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

__all__ = ["Advance", "Progress", "Status", "Total", "silent"]

Advance = Callable[[int], None]
"""Called with how many units were done since the last call."""
Status = Callable[[], str]
"""Returns what is waited for, in words."""
Total = int | Callable[[], int | None] | None
"""How many units there are; a function where that takes time to find out, and only if anybody looks."""


def _no_status() -> str:
    return ""


class Progress(Protocol):
    """Opens a task: `with progress("downloading", total=bytes, unit="B") as advance: advance(n)`.

    `status` is asked now and then what the work waits for, as "rate limited, 12 s"; empty for nothing.
    """

    def __call__(
        self, what: str, *, total: Total = None, unit: str = "", status: Status = _no_status
    ) -> AbstractContextManager[Advance]: ...


@contextmanager
def _silent(
    what: str, *, total: Total = None, unit: str = "", status: Status = _no_status
) -> Iterator[Advance]:
    yield lambda done: None


silent: Progress = _silent
"""A `Progress` that shows nothing."""

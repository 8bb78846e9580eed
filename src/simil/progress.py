"""How long work reports progress, without knowing who listens.

Lower layers take a `Progress` and open a task on it. The command line passes one that draws a bar in a
terminal; everyone else passes `silent`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

__all__ = ["Advance", "Progress", "Status", "Total", "silent"]

Advance = Callable[[int], None]
"""Called with the number of units done since the last call."""
Status = Callable[[], str]
"""Returns what the work waits for, in words."""
Total = int | Callable[[], int | None] | None
"""The number of units, None if unknown; a function if counting takes time, called only when shown."""


def _no_status() -> str:
    return ""


class Progress(Protocol):
    """Opens a task: `with progress("downloading", total=bytes, unit="B") as advance: advance(n)`.

    `status` is called now and then for what the work waits for, such as "rate limited, 12 s"; "" for nothing.
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

"""The time that the client's waits depend on; tests replace it."""

from __future__ import annotations

import time
from threading import Condition

__all__ = ["Clock"]


class Clock:
    """Real time, in seconds."""

    def now(self) -> float:
        """Return a time that never goes back, for measuring."""
        return time.monotonic()

    def date(self) -> float:
        """Return the seconds since 1970."""
        return time.time()

    def wait(self, condition: Condition, seconds: float | None) -> None:
        """Wait until `condition`, which the caller holds, is notified, or for at most `seconds`."""
        condition.wait(seconds)

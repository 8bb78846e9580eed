"""The time that the client's waits go by; a test hands in another."""

from __future__ import annotations

import time
from threading import Condition

__all__ = ["Clock"]


class Clock:
    """Real time, in seconds."""

    def now(self) -> float:
        """Return a time that only rises, for measuring."""
        return time.monotonic()

    def date(self) -> float:
        """Return the time since 1970."""
        return time.time()

    def wait(self, condition: Condition, seconds: float | None) -> None:
        """Wait until `condition`, which is held, is notified or so much time has passed; it may be less."""
        condition.wait(seconds)

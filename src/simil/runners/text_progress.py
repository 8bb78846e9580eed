"""Counts the texts that all actors have embedded, for a bar that moves before a part is done."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from simil.progress import Advance

__all__ = ["TextCounter", "ThrottledCount", "passed_on"]

_EVERY_S = 0.5
_PATIENCE_S = 10.0


class TextCounter:
    """An actor that adds up counts. It needs no core."""

    def __init__(self) -> None:
        self._count = 0

    def add(self, count: int) -> None:
        """Add a count."""
        self._count += count

    def total(self) -> int:
        """Return the sum so far."""
        return self._count


class ThrottledCount:
    """Sends the counts of one actor to the counter, twice a second at most."""

    def __init__(self, counter: Any) -> None:
        """Take the counter's handle, None where nobody looks."""
        self._counter = counter
        self._count = 0
        self._sent = time.monotonic()

    def add(self, count: int) -> None:
        """Count some texts."""
        self._count += count
        if self._counter is not None and time.monotonic() - self._sent > _EVERY_S:
            self._counter.add.remote(self._count)
            self._count, self._sent = 0, time.monotonic()


@contextmanager
def passed_on(ray: Any, counter: Any, advance: Advance) -> Iterator[None]:
    """While the block runs, pass on what the counter has; at its end, no more is passed on."""
    ended = threading.Event()

    def follow() -> None:
        seen = 0
        while not ended.wait(_EVERY_S):
            try:
                total = ray.get(counter.total.remote(), timeout=_PATIENCE_S)
            except Exception:  # noqa: BLE001, S112 (only the bar stands still)
                continue
            advance(max(total - seen, 0))
            seen = max(total, seen)

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(timeout=1)

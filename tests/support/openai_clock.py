"""One time for the server of the tests and its clients: it stands still until somebody waits.

A file of a few bytes holds it, so that processes share it::

    with SharedClock(path) as clock:
        install(clock)            # in this process simil's client goes by it from now on
"""

from __future__ import annotations

import fcntl
import mmap
import os
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from simil.embedders.openai import client as embedder
from simil.embedders.openai.clock import Clock
from simil.embedders.openai.sender import Sender
from simil.embedders.openai.transport import Timeout

__all__ = ["BEGIN_DATE", "BEGIN_S", "IMPATIENT", "PATIENT", "SharedClock", "install"]

# What a clock says that nobody has waited by yet, a full minute, and the date then: 14 Nov 2023, 22:13:20.
BEGIN_S, BEGIN_DATE = 1020.0, 1_700_000_000.0
# Real time that others get to do something before the time is put forward.
_PATIENCE_S = 0.004
# How long a client waits for bytes in real time: for ever on a busy machine; but not for a server that is
# silent on purpose. A whole answer has its 300 s of shared time.
PATIENT = Timeout(connect=60.0, read=60.0, total=300.0)
IMPATIENT = Timeout(connect=60.0, read=2.0, total=300.0)


class SharedClock(Clock):
    """A clock in a file."""

    def __init__(self, path: Path) -> None:
        """Open the clock in `path`; made where there is none yet."""
        self.path = path
        self._watched: list[Callable[[], bool]] = []
        self._lock, self._alone = threading.Lock(), threading.Lock()
        self._until: dict[int, float] = {}
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        is_new = os.fstat(self._file).st_size == 0
        if is_new:
            os.ftruncate(self._file, 8)
        self._map = mmap.mmap(self._file, 8)
        self._time = memoryview(self._map).cast("d")
        if is_new:
            self._time[0] = BEGIN_S

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._time.release()
        self._map.close()
        os.close(self._file)

    def now(self) -> float:
        """Return the shared time in seconds."""
        return self._time[0]

    def date(self) -> float:
        """Return the shared time as seconds since 1970."""
        return BEGIN_DATE + self.now() - BEGIN_S

    def wait(self, condition: threading.Condition, seconds: float | None) -> None:
        """Wait until `condition` is notified; if nobody does anything else, put the time forward.

        It goes forward by as much as the one of this process who waits the least wants.
        """
        if seconds is None:
            condition.wait()
            return
        me = threading.get_ident()
        with self._lock:
            until = self._until[me] = self.now() + seconds
        try:
            while self.now() < until and not condition.wait(_PATIENCE_S):
                if not any(is_busy() for is_busy in self._watched):
                    with self._lock:
                        self.advance_to(min(self._until.values()))
        finally:
            with self._lock:
                del self._until[me]

    def advance_to(self, time: float) -> None:
        """Put the time forward to `time`; it never goes back, whoever else puts it forward."""
        with self._alone:
            fcntl.lockf(self._file, fcntl.LOCK_EX)
            self._time[0] = max(self._time[0], time)
            fcntl.lockf(self._file, fcntl.LOCK_UN)

    def watch(self, is_busy: Callable[[], bool]) -> None:
        """Let the time of this process's waits stand still while `is_busy` says so."""
        self._watched.append(is_busy)


def install(clock: SharedClock, timeout: Timeout = PATIENT) -> None:
    """Let the clients that are made from now on in this process go by `clock` and these timeouts."""
    module: Any = embedder
    module.Clock = lambda: clock
    module.Timeout = lambda: timeout
    module.Sender = lambda *arguments, **named: watched(Sender(*arguments, **named), clock)


def watched(sender: Sender, clock: SharedClock) -> Sender:
    """Let the time stand still while requests of `sender` are under way."""
    clock.watch(lambda: sender._in_flight > 0)
    return sender

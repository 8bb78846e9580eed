"""What a part of the torture did and found."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["BARS", "FAULTS", "Finding", "Part", "Report", "Task"]

# What must never happen: something of the user is gone, an answer is wrong, a secret or a text went where it
# should not, an error is not one line with an exit code of ours, a run does not end.
FAULTS = ("lost", "wrong", "leaked", "tracebacks", "hangs")
# What all parts do together, at least, in a full run.
BARS = {
    "hostile inputs": 5_000,
    "kills": 1_000,
    "server faults": 200,
    "hostile folders and plug-ins": 100,
    "damages of prepared files": 1_000,
}


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault: its kind, one of `FAULTS`, and what shows it: the case, and what was printed."""

    kind: str
    what: str


@dataclass(eq=False)
class Report:
    """Counts what was done, by name ("hostile inputs", "kills"), and keeps the faults; for many threads.

    A part that `is_broken` ended by an exception of its own.
    """

    done: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    is_broken: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def count(self, what: str, number: int = 1) -> None:
        """Add to what was done."""
        with self._lock:
            self.done = Counter({**self.done, what: self.done[what] + number})  # For who reads it meanwhile.

    def found(self, kind: str, what: str) -> None:
        """Keep a fault; `kind` is one of `FAULTS`."""
        if kind not in FAULTS:
            raise ValueError(kind)
        with self._lock:
            self.findings.append(Finding(kind, what))

    def faults(self, kind: str) -> int:
        """Return how many faults of a kind were found."""
        return sum(finding.kind == kind for finding in self.findings)


@dataclass(frozen=True, slots=True)
class Task:
    """What a part is given: an empty folder, the seed of its choices, and how much of it to do.

    At `scale` 1 a part does what `make torture` promises, at 0.01 a hundredth, but every kind at least once.
    What a fault was found with, such as a harmed file, goes into the folder `keep` if there is one.
    """

    folder: Path
    report: Report
    seed: int = 0
    scale: float = 1.0
    keep: Path | None = None

    def times(self, full: int, least: int = 1) -> int:
        """Return how often to do what is done `full` times at scale 1."""
        return max(round(full * self.scale), least)


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the torture, by name."""

    name: str
    run: Callable[[Task], None]

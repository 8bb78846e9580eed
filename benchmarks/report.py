"""Figures: two sides, their ratio, its bar; as a table for a person and as JSON to keep."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

__all__ = ["Check", "Figure", "machine", "table", "to_dict"]

_PACKAGES = (
    "simil-cli", "sentence-transformers", "torch", "transformers", "onnxruntime", "tokenizers", "numpy",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing measured on both sides, repeat by repeat.

    `ratio` says which way round is read: "peer/ours" (how many times less we take) or "ours/peer". The
    bar is the least that the ratio may be (`at_least`) or the most (`at_most`).
    """

    name: str
    unit: str
    peer: Sequence[float]
    ours: Sequence[float]
    ratio: str
    at_least: float | None = None
    at_most: float | None = None
    note: str = ""

    @property
    def ratios(self) -> list[float]:
        """The ratio of each repeat, of values measured one right after the other."""
        pairs = zip(self.peer, self.ours, strict=True)
        return [ours / peer if self.ratio == "ours/peer" else peer / ours for peer, ours in pairs]

    @property
    def holds(self) -> bool | None:
        """Whether the median ratio reaches the bar; None where there is none."""
        if self.at_least is None and self.at_most is None:
            return None
        value = median(self.ratios)
        return (self.at_least is None or value >= self.at_least) and (
            self.at_most is None or value <= self.at_most
        )

    @property
    def bar(self) -> str:
        """The bar in words."""
        limits = ((">=", self.at_least), ("<=", self.at_most))
        return " and ".join(f"{sign} {value:g}" for sign, value in limits if value is not None)

    def cells(self) -> list[str]:
        """Return the table's cells."""
        return [
            self.name,
            f"{_digits(median(self.peer))} {self.unit}",
            f"{_digits(median(self.ours))} {self.unit}",
            f"{_digits(median(self.ratios))} ({_digits(min(self.ratios))}..{_digits(max(self.ratios))})",
            self.bar,
            _verdict(self.holds),
            self.note,
        ]


@dataclass(frozen=True, slots=True)
class Check:
    """Something that holds or does not, without a peer; `seconds` of each repeat."""

    name: str
    seconds: Sequence[float]
    holds: bool
    bar: str
    note: str = ""

    def cells(self) -> list[str]:
        """Return the table's cells."""
        took = f"{_digits(median(self.seconds))} s" if self.seconds else ""
        return [self.name, "", took, "", self.bar, _verdict(self.holds), self.note]


def table(rows: Sequence[Figure | Check]) -> str:
    """Return the rows as aligned lines under a heading."""
    lines = [["what", "peer", "ours", "ratio (min..max)", "bar", "", "note"], *(row.cells() for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def to_dict(row: Figure | Check) -> dict[str, Any]:
    """Return `row` as JSON keeps it: every value measured, and what the table says of them."""
    said = {"name": row.name, "bar": row.bar, "holds": row.holds, "note": row.note}
    if isinstance(row, Check):
        return said | {"seconds": list(row.seconds)}
    return said | {
        "unit": row.unit,
        "peer": list(row.peer),
        "ours": list(row.ours),
        "ratio": row.ratio,
        "median": median(row.ratios),
        "min": min(row.ratios),
        "max": max(row.ratios),
    }


def machine() -> dict[str, Any]:
    """Return what the figures depend on: processor, cores, load before the run, versions."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {name: version(name) for name in _PACKAGES},
        "date": datetime.now(UTC).date().isoformat(),
    }


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    names = []
    if info.is_file():
        names = [line for line in info.read_text("utf-8").splitlines() if line.startswith("model name")]
    return names[0].partition(":")[2].strip() if names else platform.processor()


def _digits(value: float) -> str:
    """Three digits that count, and never an exponent."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _verdict(holds: bool | None) -> str:
    return {True: "holds", False: "MISSED", None: ""}[holds]

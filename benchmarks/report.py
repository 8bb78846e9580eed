"""Figures: two sides, their ratio and its bar, as a table or for JSON; and the machine they are of."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from itertools import chain
from math import ceil, log10
from pathlib import Path
from statistics import median
from typing import Any

__all__ = [
    "HEADINGS", "Check", "Figure", "LeftOut", "NotMeasured", "Row", "Section", "Value", "commit", "machine",
    "table", "to_dict",
]  # fmt: skip

_PACKAGES = (
    "simil-cli", "numpy", "onnxruntime", "openvino", "nncf", "tokenizers", "torch", "transformers",
    "sentence-transformers", "llm", "llm-sentence-transformers", "faiss-cpu", "pyarrow", "pylance",
)  # fmt: skip
HEADINGS = ["what", "peer", "ours", "ratio (min..max)", "bar", "", "note"]


@dataclass(frozen=True, slots=True)
class Figure:
    """A quantity measured on both sides, repeat by repeat.

    `ratio` is "peer/ours" (how many times less we take) or "ours/peer". The bar is its minimum (`at_least`)
    or maximum (`at_most`).
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
        """The ratio of each repeat, of values measured in direct succession."""
        pairs = zip(self.peer, self.ours, strict=True)
        return [ours / peer if self.ratio == "ours/peer" else peer / ours for peer, ours in pairs]

    @property
    def holds(self) -> bool | None:
        """Whether the median ratio reaches the bar; None without a bar."""
        return _reaches(median(self.ratios), self.at_least, self.at_most)

    @property
    def bar(self) -> str:
        """The bar in words."""
        return _bar(self.at_least, self.at_most)

    def cells(self) -> list[str]:
        """Return the table's cells."""
        return [
            self.name,
            f"{_digits(median(self.peer))} {self.unit}",
            f"{_digits(median(self.ours))} {self.unit}",
            _spread(self.ratios),
            self.bar,
            _verdict(self.holds),
            self.note,
        ]


@dataclass(frozen=True, slots=True)
class Value:
    """A quantity measured without a peer, repeat by repeat; the bar applies to its median."""

    name: str
    unit: str
    values: Sequence[float]
    at_least: float | None = None
    at_most: float | None = None
    note: str = ""

    @property
    def holds(self) -> bool | None:
        """Whether the median reaches the bar; None without a bar."""
        return _reaches(median(self.values), self.at_least, self.at_most)

    @property
    def bar(self) -> str:
        """The bar in words."""
        return _bar(self.at_least, self.at_most)

    def cells(self) -> list[str]:
        """Return the table's cells."""
        spread = (
            f" ({_digits(min(self.values))}..{_digits(max(self.values))})" if len(self.values) > 1 else ""
        )
        value = f"{_digits(median(self.values))}{spread} {self.unit}".rstrip()
        return [self.name, "", value, "", self.bar, _verdict(self.holds), self.note]


@dataclass(frozen=True, slots=True)
class Check:
    """A property that holds or not, without a peer; `seconds` of each repeat."""

    name: str
    seconds: Sequence[float]
    holds: bool
    bar: str
    note: str = ""

    def cells(self) -> list[str]:
        """Return the table's cells."""
        took = f"{_digits(median(self.seconds))} s" if self.seconds else ""
        return [self.name, "", took, "", self.bar, _verdict(self.holds), self.note]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something that could not be measured, and why: a peer or a file is missing."""

    name: str
    note: str
    holds: None = None
    bar: str = ""

    def cells(self) -> list[str]:
        """Return the table's cells."""
        return [self.name, "", "", "", "", "left out", self.note]


@dataclass(frozen=True, slots=True)
class NotMeasured:
    """Something whose time would say nothing, since others took the processors: neither pass nor fail."""

    name: str
    note: str
    holds: None = None
    bar: str = ""

    def cells(self) -> list[str]:
        """Return the table's cells."""
        return [self.name, "", "", "", "", "not measured", self.note]


Row = Figure | Value | Check | LeftOut | NotMeasured


@dataclass(frozen=True, slots=True)
class Section:
    """The rows of one suite, what is compared in it, and when and how it was run."""

    title: str
    about: str
    rows: Sequence[Row]
    run: Mapping[str, str] = field(default_factory=dict)


def table(sections: Sequence[Section]) -> str:
    """Return all rows as one table of aligned lines, each section under its title."""
    cells = [[row.cells() for row in section.rows] for section in sections]
    widths = [max(map(len, column)) for column in zip(HEADINGS, *chain.from_iterable(cells), strict=True)]
    lines = [_aligned(HEADINGS, widths)]
    for section, rows in zip(sections, cells, strict=True):
        lines += ["", section.title, *(_aligned(row, widths) for row in rows)]
    return "\n".join(lines)


def to_dict(row: Row) -> dict[str, Any]:
    """Return `row` for JSON: every measured value, and the cells of the table."""
    said = {"name": row.name, "bar": row.bar, "holds": row.holds, "note": row.note, "cells": row.cells()}
    if isinstance(row, LeftOut | NotMeasured):
        return said
    if isinstance(row, Check):
        return said | {"seconds": list(row.seconds)}
    if isinstance(row, Value):
        return said | {"unit": row.unit, "values": list(row.values), "median": median(row.values)}
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
    """Return what the figures depend on: processor and its features, cores, memory, kernel, versions."""
    from simil.embedders.local.cores import physical_cores, processor_facts

    name, features = processor_facts()
    return {
        "processor": name,
        "features": " ".join(features) or "unknown",
        "cores": physical_cores(),
        "logical processors": os.cpu_count(),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 1e9:.0f} GB",
        "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": ", ".join(f"{name} {number}" for name, number in _versions().items()),
    }


def commit() -> str:
    """Return the measured commit, with "-dirty" if files differ from it."""
    command = ["git", "describe", "--always", "--dirty", "--exclude", "*"]
    try:
        done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    except OSError:
        return "unknown"
    return done.stdout.strip() or "unknown"


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _reaches(value: float, at_least: float | None, at_most: float | None) -> bool | None:
    if at_least is None and at_most is None:
        return None
    return (at_least is None or value >= at_least) and (at_most is None or value <= at_most)


def _bar(at_least: float | None, at_most: float | None) -> str:
    limits = ((">=", at_least), ("<=", at_most))
    return " and ".join(f"{sign} {_short(value)}" for sign, value in limits if value is not None)


def _short(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def _spread(ratios: Sequence[float]) -> str:
    return f"{_digits(median(ratios))} ({_digits(min(ratios))}..{_digits(max(ratios))})"


def _digits(value: float) -> str:
    """Format with three significant digits and no exponent; near 1, a cosine with the digits that differ."""
    if 0.99 < value < 1 - 1e-8:
        return f"{value:.{ceil(-log10(1 - value)) + 1}f}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _verdict(holds: bool | None) -> str:
    return {True: "holds", False: "MISSED", None: ""}[holds]

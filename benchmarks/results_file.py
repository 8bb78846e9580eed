"""The results of all suites, each of the run that measured it last: a JSON file, and the page made of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from report import HEADINGS, Section, to_dict

__all__ = ["ONE_CORE", "merge", "page", "read", "to_kept"]

# Ends the name of a suite that was measured on one core.
ONE_CORE = "@one-core"

_HEAD = """\
# Results of the benchmarks

Written by `benchmarks/run.py` from `benchmarks/results/all.json`. Values are medians; a ratio is the median
of the repeats' ratios, with the least and the most. All sides of a figure are measured in turn. "One core"
means that all processes of all sides were bound to one core. A figure is "not measured" where other processes
took more than a tenth of the cores meanwhile.
"""


# What the page says where there was no card.
_NO_CARD = """\
# Graphics card

Not measured here: there is no card. On a machine with one, `python benchmarks/gpu.py` makes all figures in
one run: the rates against `SentenceTransformer.encode` and the card's own, the cosine to float32, the same
bits in any batch, and the start of `compare --device cuda`.
"""


def read(path: Path) -> dict[str, Any]:
    """Return the kept results by the name of the suite; nothing if there is no such file."""
    kept: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return kept


def to_kept(section: Section, machine: Mapping[str, Any]) -> dict[str, Any]:
    """Return a section in the form in which it is kept."""
    rows = [to_dict(row) for row in section.rows]
    return {
        "title": section.title,
        "about": section.about,
        "machine": machine,
        "run": section.run,
        "rows": rows,
    }


def merge(kept: Mapping[str, Any], measured: Mapping[str, Any], order: Sequence[str]) -> dict[str, Any]:
    """Return the kept results, those of the suites measured now in place of theirs, in the given order."""
    both = {**kept, **measured}
    names = [*(name for name in order if name in both), *(name for name in both if name not in order)]
    return {name: both[name] for name in names}


def page(kept: Mapping[str, Any]) -> str:
    """Return all results as Markdown, grouped by the machine that they were measured on."""
    lines = [_HEAD]
    machines: list[Mapping[str, Any]] = []
    for section in kept.values():
        if section["machine"] not in machines:
            machines.append(section["machine"])
    for machine in machines:
        lines += [f"# Measured on {machine['processor']}", ""]
        lines += [f"- {key}: {value}" for key, value in machine.items()]
        for section in kept.values():
            if section["machine"] == machine:
                lines += ["", *_section(section)]
        lines.append("")
    if "gpu" not in kept:
        lines.append(_NO_CARD)
    return "\n".join(lines).rstrip("\n") + "\n"


def _section(section: Mapping[str, Any]) -> list[str]:
    lines = [f"## {section['title']}", "", section["about"], "", _run(section["run"]), ""]
    lines += [_row(HEADINGS), _row(["---"] * len(HEADINGS))]
    return lines + [_row(row["cells"]) for row in section["rows"]]


def _run(run: Mapping[str, str]) -> str:
    return f"{run['date']}, commit {run['commit']}, {run['load']}: `{run['command']}`"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"

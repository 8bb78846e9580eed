"""What runs of run.py and gpu.py keep, and how they end."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from machine_load import CpuTime, available_processors, cpu_time, others_between
from measure import ANY_LOAD
from report import NotMeasured, Section, commit
from results_file import merge, page, read, to_kept
from speed_figures import with_figures

__all__ = ["add_output_options", "allow_load", "check_output_options", "exit_code", "keep", "run_facts"]


def add_output_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that name the files to write, and whether a busy machine will do."""
    parser.add_argument("--any-load", action="store_true", help="measure however much others take")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep every value measured")
    parser.add_argument(
        "--results", type=Path, metavar="FILE", help="write all that --json keeps as Markdown"
    )
    parser.add_argument("--speeds", type=Path, metavar="FILE", help="write its table of speeds anew")


def allow_load(given: argparse.Namespace) -> None:
    """Have figures measured on a busy machine, too, if that is asked for."""
    if given.any_load:
        os.environ[ANY_LOAD] = "1"


def check_output_options(parser: argparse.ArgumentParser, given: argparse.Namespace) -> None:
    """End the program if the pages cannot be written, before hours are spent on what is in them."""
    if (given.results or given.speeds) and not given.json:
        parser.error("--results and --speeds are written from what --json keeps: name a file")
    try:
        if given.json:
            read(given.json)
        if given.speeds:
            given.speeds.read_text("utf-8")
    except (OSError, ValueError) as exc:
        parser.error(f"what is to be written anew cannot be read: {exc}")


def run_facts(before: CpuTime | None) -> dict[str, str]:
    """Return when and how a suite was run, and what others took since `before`, when it began."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": commit(),
        "load": _load_since(before),
        "command": " ".join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *map(_shown, sys.argv[1:])]),
    }


def keep(
    given: argparse.Namespace,
    sections: Mapping[str, Section],
    on: Mapping[str, Any],
    order: Sequence[str] = (),
) -> None:
    """Write the files that are asked for, with what they hold of other suites.

    `on` is the machine, `order` that of the suites; others come last.
    """
    if not given.json:
        return
    new = {name: to_kept(section, on) for name, section in sections.items()}
    kept = merge(read(given.json), new, order)
    _write(given.json, json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
    if given.results:
        _write(given.results, page(kept))
    if given.speeds:
        given.speeds.write_text(with_figures(given.speeds.read_text("utf-8"), kept), "utf-8")


def exit_code(sections: Sequence[Section]) -> int:
    """Return 1 if a bar is missed, 3 if none is but something was not measured, else 0."""
    rows = [row for section in sections for row in section.rows]
    if any(row.holds is False for row in rows):
        return 1
    return 3 if any(isinstance(row, NotMeasured) for row in rows) else 0


def _load_since(before: CpuTime | None) -> str:
    after = cpu_time()
    if before is None or after is None:
        return "load unknown"
    return (
        f"others took {others_between(before, after):.2f} of {len(available_processors())} logical processors"
    )


def _shown(argument: str) -> str:
    """Return an argument without the folders of this machine."""
    path = Path(argument)
    return path.name if path.is_absolute() or ".." in path.parts else argument


def _write(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, "utf-8")

"""Run the torture: `python -m torture [PART …]`, a line for each part; exit code 1 if anything was found."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from support.process_defaults import set_process_defaults

from torture.report import FAULTS, Part, Report, Task

__all__ = ["PARTS", "main", "part"]

PARTS = tuple(sorted(path.stem for path in Path(__file__).with_name("parts").glob("[a-z]*.py")))
# How many faults are shown in full.
_SHOWN = 40


def part(name: str) -> Part:
    """Return a part by its name."""
    found: Part = importlib.import_module(f"torture.parts.{name}").PART
    return found


def main() -> int:
    """Run the parts, print their lines and the sum, and return the exit code."""
    parser = argparse.ArgumentParser(prog="torture", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--scale", type=float, default=1.0, help="how much of it: 0.1 is a tenth")
    parser.add_argument("--seed", type=int, default=0, help="of all random choices")
    wanted = parser.parse_args()
    set_process_defaults()
    done: Counter[str] = Counter()
    found: Counter[str] = Counter()
    for name in wanted.parts or PARTS:
        report = _run(part(name), wanted.seed, wanted.scale)
        done += report.done
        found += Counter(finding.kind for finding in report.findings)
    print(f"all: {_counts(done)}; {_faults(found)}")
    return int(bool(found))


def _run(chosen: Part, seed: int, scale: float) -> Report:
    report, began = Report(), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="torture-") as folder:
        _isolate(Path(folder))
        work = Path(folder, "work")
        work.mkdir()
        chosen.run(Task(work, report, seed, scale))
    found = Counter(finding.kind for finding in report.findings)
    print(
        f"{chosen.name}: {_counts(report.done)}; {_faults(found)}; {time.monotonic() - began:.0f} s",
        flush=True,
    )
    for finding in report.findings[:_SHOWN]:
        print(f"  {finding.kind}: {finding.what}", file=sys.stderr, flush=True)
    return report


def _isolate(folder: Path) -> None:
    """Keep this user's settings and caches out of the runs."""
    for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "HF_HOME", "HOME"):
        os.environ[name] = str(folder / name.lower())
        Path(os.environ[name]).mkdir()
    os.environ["SIMIL_CACHE_DIR"] = str(folder / "cache")


def _counts(done: Counter[str]) -> str:
    return ", ".join(f"{number:,} {what}" for what, number in done.items()) or "nothing done"


def _faults(found: Counter[str]) -> str:
    return ", ".join(f"{found[kind]} {kind}" for kind in FAULTS)


if __name__ == "__main__":
    sys.exit(main())

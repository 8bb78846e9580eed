"""Run the torture: `python -m torture [PART …]`, a line for each part, and a table of what was done.

The exit code is 1 if anything was found, if a part broke off, or if a full run did less than it promises.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from support.process_defaults import set_process_defaults

from torture.report import BARS, FAULTS, Part, Report, Task

__all__ = ["PARTS", "main", "part"]

PARTS = tuple(sorted(path.stem for path in Path(__file__).with_name("parts").glob("[a-z]*.py")))
# How many faults of a part are shown in full.
_SHOWN = 40
_PROGRESS_S = 60.0


def part(name: str) -> Part:
    """Return a part by its name."""
    found: Part = importlib.import_module(f"torture.parts.{name}").PART
    return found


def main(words: Sequence[str] | None = None) -> int:
    """Run the parts, print their lines and the table, and return the exit code."""
    parser = argparse.ArgumentParser(prog="torture", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--scale", type=float, default=1.0, help="how much of it: 0.1 is a tenth")
    parser.add_argument("--seed", type=int, default=0, help="of all random choices")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the files that show a fault here")
    wanted = parser.parse_args(words)
    set_process_defaults()
    names = wanted.parts or PARTS
    reports = {name: _run(name, wanted) for name in names}
    print()
    is_full = wanted.scale >= 1 and set(names) == set(PARTS)
    has_all = _print_bars(reports.values(), is_full=is_full)
    found = [finding for report in reports.values() for finding in report.findings]
    broken = [name for name, report in reports.items() if report.is_broken]
    print(f"all: {_faults(Counter(finding.kind for finding in found))}{_broken(broken)}")
    return int(bool(found or broken) or not has_all)


def _run(name: str, wanted: argparse.Namespace) -> Report:
    report, began = Report(), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="torture-", ignore_cleanup_errors=True) as folder:
        _isolate(Path(folder))
        work = Path(folder, "work")
        work.mkdir()
        keep = wanted.keep and wanted.keep.resolve()
        if keep:
            keep.mkdir(parents=True, exist_ok=True)
        with _progress(name, report, began):
            try:
                part(name).run(Task(work, report, wanted.seed, wanted.scale, keep))
            except Exception:  # noqa: BLE001 (the other parts are still to run)
                report.is_broken = True
                traceback.print_exc()
    found = Counter(finding.kind for finding in report.findings)
    broken = "; BROKE OFF" if report.is_broken else ""
    print(
        f"{name}: {_counts(report.done)}; {_faults(found)}; {time.monotonic() - began:.0f} s{broken}",
        flush=True,
    )
    for finding in report.findings[:_SHOWN]:
        print(f"  {finding.kind}: {finding.what}", file=sys.stderr, flush=True)
    return report


@contextmanager
def _progress(name: str, report: Report, began: float) -> Iterator[None]:
    """Say once a minute on stderr how far a part is."""
    ended = threading.Event()

    def tell() -> None:
        while not ended.wait(_PROGRESS_S):
            spent, faults = time.monotonic() - began, len(report.findings)
            print(
                f"  … {name}: {_counts(report.done)}; {faults} faults; {spent:.0f} s",
                file=sys.stderr,
                flush=True,
            )

    thread = threading.Thread(target=tell, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _isolate(folder: Path) -> None:
    """Keep this user's settings and caches out of the runs."""
    for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "HF_HOME", "HOME"):
        os.environ[name] = str(folder / name.lower())
        Path(os.environ[name]).mkdir()
    os.environ["SIMIL_CACHE_DIR"] = str(folder / "cache")


def _print_bars(reports: Iterator[Report] | Sequence[Report], *, is_full: bool) -> bool:
    """Print what was done, beside what a full run promises; return whether it holds all."""
    done: Counter[str] = Counter()
    for report in reports:
        done += report.done
    for what in [*BARS, *(what for what in done if what not in BARS)]:
        bar = BARS.get(what)
        held = "" if bar is None or not is_full else "   met" if done[what] >= bar else "   MISSED"
        print(f"{done[what]:>9,}  {what}{'' if bar is None else f' (at least {bar:,})'}{held}")
    return not is_full or all(done[what] >= bar for what, bar in BARS.items())


def _counts(done: Counter[str]) -> str:
    return ", ".join(f"{number:,} {what}" for what, number in done.items()) or "nothing done"


def _faults(found: Counter[str]) -> str:
    return ", ".join(f"{found[kind]} {kind}" for kind in FAULTS)


def _broken(names: Sequence[str]) -> str:
    return f"; broke off: {', '.join(names)}" if names else ""


if __name__ == "__main__":
    sys.exit(main())

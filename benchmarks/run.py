"""Compare simil with what people use today.

    python benchmarks/run.py                                    everything but `large-model`, three times
    python benchmarks/run.py --only startup-minilm --repeat 10
    python benchmarks/run.py --only bulk-minilm --pin           on one core alone
    python benchmarks/run.py --only bulk-bge --bge DIR --texts 500
    python benchmarks/run.py --only --json FILE --results FILE  nothing, but write the page anew

`make bench` runs it in an environment with the peers, and keeps the results in benchmarks/results/all.json,
benchmarks/RESULTS.md and the README. Otherwise, only the files of --json, --results and --readme are written;
the results of suites that were not run stay in them as they were.

Every figure is a ratio of sides measured in turn in this run: the median of the repeats, their minimum and
maximum, and the bar. All sides run on the CPU, offline, with their own temporary cache; simil's models are
prepared before the clock starts. Suites that depend on the number of cores are measured on all cores, then
bound to one core, with half of the texts. A peer that is not installed is left out, and a row says so. If
other processes take more than a tenth of the cores, a figure is "not measured", which is neither pass nor
fail. The exit code is 1 if a bar is missed, 3 if none is but some figure was not measured, else 0.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import architectures
import bulk
import cache
import files
import large_model
import limits
import memory
import openai_api
import pair_scores
import parquet
import rerank
import search
import search_tree
import startup
import tasks
from bench import Bench, Suite, part, say
from machine_load import CpuTime, available_processors, cpu_time, others_between
from measure import ANY_LOAD, MeasurementFailed
from readme_figures import with_figures
from report import Check, NotMeasured, Section, commit, machine, table
from results_file import ONE_CORE, merge, page, read, to_kept

__all__ = ["SUITES", "main"]

_MODULES = (
    startup, limits, bulk, files, memory, parquet, search, search_tree, rerank, pair_scores, tasks, cache,
    openai_api, architectures, large_model,
)  # fmt: skip
SUITES: dict[str, Suite] = {name: suite for module in _MODULES for name, suite in module.SUITES.items()}


def main() -> int:
    given = _parsed(sys.argv[1:])
    if given.any_load:
        os.environ[ANY_LOAD] = "1"
    sections = {}
    with tempfile.TemporaryDirectory(prefix="simil-bench-") as folder:
        bench = Bench(
            Path(folder),
            repeat=given.repeat,
            texts=given.texts,
            lines=given.line_count,
            rows=given.rows,
            vectors=given.vectors,
            given_bge=given.bge,
            given_lines=given.lines,
            sick=given.sick,
        )
        for name in [name for name, suite in SUITES.items() if _is_wanted(name, suite, given.only)]:
            if given.pin is not True:
                sections[name] = measured(bench, name)
            if given.pin or (given.pin is None and SUITES[name].pinned):
                with one_core():
                    pinned = replace(bench, texts=max(2, bench.texts // 2), is_pinned=True)
                    sections[name + ONE_CORE] = measured(pinned, name)
    print(f"\n{table([*sections.values()])}")
    if given.json:
        _keep(given, sections)
    rows = [row for section in sections.values() for row in section.rows]
    if any(row.holds is False for row in rows):
        return 1
    return 3 if any(isinstance(row, NotMeasured) for row in rows) else 0


def _is_wanted(name: str, suite: Suite, only: Sequence[str] | None) -> bool:
    return not suite.on_request if only is None else name in only


def measured(bench: Bench, name: str) -> Section:
    """Return the results of a suite; if it fails or others disturb it, a row that says so."""
    where = "one core" if bench.is_pinned else ""
    say(f"measuring {name}{where and ', '}{where}")
    suite = SUITES[name]
    before = cpu_time()
    try:
        rows = part(name, lambda: suite.measure(bench))
    except MeasurementFailed as exc:
        say(str(exc))
        rows = [Check(name, [], holds=False, bar="", note="failed, see stderr")]
    facts = {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": commit(),
        "load": _load_since(before),
        "command": _command(sys.argv),
    }
    section = Section(f"{suite.title}{where and ', '}{where}", suite.about, rows, facts)
    print(f"{table([section])}\n{facts['load']}\n", file=sys.stderr, flush=True)
    return section


@contextmanager
def one_core() -> Iterator[None]:
    """Bind this process, and so all that it starts meanwhile, to the last of its cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _load_since(before: CpuTime | None) -> str:
    after = cpu_time()
    if before is None or after is None:
        return "load unknown"
    return (
        f"others took {others_between(before, after):.2f} of {len(available_processors())} logical processors"
    )


def _keep(given: argparse.Namespace, sections: Mapping[str, Section]) -> None:
    """Write the files that are asked for, with what they hold of other suites."""
    on = machine()
    new = {name: to_kept(section, on) for name, section in sections.items()}
    order = [name + core for name in SUITES for core in ("", ONE_CORE)]
    kept = merge(read(given.json), new, order)
    _write(given.json, json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
    if given.results:
        _write(given.results, page(kept))
    if given.readme:
        given.readme.write_text(with_figures(given.readme.read_text("utf-8"), kept), "utf-8")


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", nargs="*", choices=SUITES, metavar="NAME", help=_in_lines(SUITES))
    for name, default, what in (
        ("repeat", 3, "how often everything is measured"),
        ("texts", 2700, "texts of bulk"),
        ("line-count", 50_000, "lines from file to file"),
        ("rows", 1_000_000, "vectors that are searched"),
        ("vectors", 100_000, "vectors in the cache"),
    ):
        parser.add_argument(
            f"--{name}", type=_positive, default=default, metavar="N", help=f"{what} ({default:,})"
        )
    for name, what in (
        ("bge", "a bge-shaped folder made before (see make_bge_shaped.py)"),
        ("lines", "real text, a line each, in place of Debian's descriptions"),
        ("sick", "pairs that people have scored, tab-separated: sentence_A, sentence_B, relatedness_score"),
    ):
        parser.add_argument(
            f"--{name}", type=_existing, metavar="FILE" if name != "bge" else "DIR", help=what
        )
    parser.add_argument(
        "--pin",
        action=argparse.BooleanOptionalAction,
        help="measure on one core alone, or on all alone (default: both where it matters)",
    )
    parser.add_argument("--any-load", action="store_true", help="measure however much others take")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep every value measured")
    parser.add_argument(
        "--results", type=Path, metavar="FILE", help="write all that --json keeps as Markdown"
    )
    parser.add_argument("--readme", type=Path, metavar="FILE", help="write its table of speeds anew")
    given = parser.parse_args(arguments)
    if (given.results or given.readme) and not given.json:
        parser.error("--results and --readme are written from what --json keeps: name a file")
    return given


def _positive(value: str) -> int:
    number = int(value)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{value} is less than 1")
    return number


def _existing(value: str) -> Path:
    path = Path(value)
    if not path.exists():
        raise argparse.ArgumentTypeError(f"there is no {value}")
    return path.resolve()


def _in_lines(names: Iterable[str]) -> str:
    return "\n".join(names)


def _command(arguments: Sequence[str]) -> str:
    """Return the command of this run, without the folders of this machine."""
    return " ".join(["python", "benchmarks/run.py", *map(_shown, arguments[1:])])


def _shown(argument: str) -> str:
    path = Path(argument)
    return path.name if path.is_absolute() or ".." in path.parts else argument


def _write(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, "utf-8")


if __name__ == "__main__":
    sys.exit(main())

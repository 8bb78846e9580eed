"""Compare simil with what people use today.

    python benchmarks/run.py                                    everything but `large-model`, three times
    python benchmarks/run.py --only startup-minilm --repeat 10
    python benchmarks/run.py --only bulk-bge --bge DIR --texts 500

`make bench` runs it in an environment with the peers, and writes the results to benchmarks/RESULTS.md.
Otherwise, it writes only the files of --json and --results, with the suites that were run.

Run it on an idle machine. Every figure is a ratio of sides measured in turn in this run: the median of the
repeats, their minimum and maximum, and the bar. The exit code is 1 if a bar is missed. All sides run on the
CPU, offline, with their own temporary cache; simil's models are prepared before the clock starts. A peer
that is not installed is left out, and a row says so.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import architectures
import bulk
import cache
import clusters
import files
import large_model
import limits
import memory
import openai_api
import pair_scores
import parquet
import rerank
import search
import startup
import tasks
from bench import Bench, Suite, say
from measure import MeasurementFailed
from report import Check, Section, machine, markdown, plain, table, to_dict

__all__ = ["SUITES", "main"]

_MODULES = (
    startup, limits, bulk, files, memory, parquet, search, rerank, pair_scores, tasks, clusters, cache,
    openai_api, architectures, large_model,
)  # fmt: skip
SUITES: dict[str, Suite] = {name: suite for module in _MODULES for name, suite in module.SUITES.items()}


def main() -> int:
    given = _parsed(sys.argv[1:])
    facts = {"command": _command(sys.argv), **machine()}
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
        for name in given.only or [name for name, suite in SUITES.items() if not suite.on_request]:
            sections[name] = measured(bench, name)
    facts["load after"] = round(os.getloadavg()[0], 2)
    facts["repeats"] = given.repeat
    print("\n".join(f"{key}: {plain(value)}" for key, value in facts.items()))
    print(f"\n{table([*sections.values()])}")
    if given.json:
        figures = {name: [to_dict(row) for row in section.rows] for name, section in sections.items()}
        _write(given.json, json.dumps({"machine": facts, "figures": figures}, indent=2) + "\n")
    if given.results:
        _write(given.results, markdown([*sections.values()], facts))
    return int(any(row.holds is False for section in sections.values() for row in section.rows))


def measured(bench: Bench, name: str) -> Section:
    """Return the results of a suite; if it fails, a row that says so."""
    say(f"measuring {name}")
    suite = SUITES[name]
    try:
        rows = suite.measure(bench)
    except MeasurementFailed as exc:
        say(str(exc))
        rows = [Check(name, [], holds=False, bar="", note="failed, see stderr")]
    section = Section(suite.title, suite.about, rows)
    print(f"{table([section])}\n", file=sys.stderr, flush=True)
    return section


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=SUITES, metavar="NAME", help=_in_lines(SUITES))
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
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep every value measured")
    parser.add_argument("--results", type=Path, metavar="FILE", help="keep the tables as Markdown")
    return parser.parse_args(arguments)


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

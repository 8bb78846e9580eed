"""Compare simil with what people use today.

    python benchmarks/run.py                                    everything but `large-model`, three times
    python benchmarks/run.py --only startup-minilm --repeat 10
    python benchmarks/run.py --only bulk-minilm --pin           on one core alone
    python benchmarks/run.py --only bulk-bge --bge DIR --texts 500
    python benchmarks/run.py --only --json FILE --results FILE  nothing, but write the page anew

`make bench` runs it in an environment with the peers, and keeps the results in benchmarks/results/all.json,
benchmarks/RESULTS.md and docs/speed.md. Otherwise, only the files of --json, --results and --speeds are
written; the results of suites that were not run stay in them as they were.

Every figure is a ratio of sides measured in turn in this run: the median of the repeats, their minimum and
maximum, and the bar. All sides run on the CPU, offline, with their own temporary cache; simil's models are
prepared before the clock starts. Suites that depend on the number of cores are measured on all cores, then
bound to one core, with half of the texts. A peer that is not installed is left out, and a row says so. If
other processes take more than a tenth of the cores, a figure is "not measured", which is neither pass nor
fail. The exit code is 1 if a bar is missed, 3 if none is but some figure was not measured, else 0.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import architectures
import behind_servers
import bulk
import cache
import clusters
import embedding_servers
import files
import lance_index
import large_model
import limits
import logs
import mcp_search
import memory
import openai_api
import packed
import pair_scores
import parquet
import precision
import ray_cluster_runs
import rerank
import search
import search_tree
import servers
import startup
import tasks
import words
from bench import Bench, Suite, say, whole
from machine_load import cpu_time, one_core
from option_types import existing, positive
from report import Section, machine, table
from results_file import ONE_CORE
from run_output import add_output_options, allow_load, check_output_options, exit_code, keep, run_facts

__all__ = ["SUITES", "main"]

_MODULES = (
    startup, limits, bulk, precision, files, memory, parquet, search, search_tree, rerank, words, pair_scores,
    tasks, clusters, logs, cache, openai_api, servers, mcp_search, architectures, packed, ray_cluster_runs,
    lance_index, large_model, embedding_servers, behind_servers,
)  # fmt: skip
SUITES: dict[str, Suite] = {name: suite for module in _MODULES for name, suite in module.SUITES.items()}


def main() -> int:
    given = _parsed(sys.argv[1:])
    allow_load(given)
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
    order = [name + core for name in SUITES for core in ("", ONE_CORE)]
    keep(given, sections, machine(), order)
    return exit_code([*sections.values()])


def _is_wanted(name: str, suite: Suite, only: Sequence[str] | None) -> bool:
    return not suite.on_request if only is None else name in only


def measured(bench: Bench, name: str) -> Section:
    """Return the results of a suite; if it fails or others disturb it, a row that says so."""
    where = "one core" if bench.is_pinned else ""
    say(f"measuring {name}{where and ', '}{where}")
    suite = SUITES[name]
    before = cpu_time()
    rows = whole(name, lambda: suite.measure(bench))
    facts = run_facts(before)
    section = Section(f"{suite.title}{where and ', '}{where}", suite.about, rows, facts)
    print(f"{table([section])}\n{facts['load']}\n", file=sys.stderr, flush=True)
    return section


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", nargs="*", choices=SUITES, metavar="NAME", help=_in_lines(SUITES))
    for name, default, what in (
        ("repeat", 3, "how often everything is measured"),
        ("texts", 2700, "texts of bulk"),
        ("line-count", 20_000, "lines from file to file"),
        ("rows", 1_000_000, "vectors that are searched"),
        ("vectors", 100_000, "vectors in the cache"),
    ):
        parser.add_argument(
            f"--{name}", type=positive, default=default, metavar="N", help=f"{what} ({default:,})"
        )
    for name, what in (
        ("bge", "a bge-shaped folder made before (see make_bge_shaped.py)"),
        ("lines", "real text, a line each, in place of Debian's descriptions"),
        ("sick", "pairs that people have scored, tab-separated: sentence_A, sentence_B, relatedness_score"),
    ):
        parser.add_argument(f"--{name}", type=existing, metavar="FILE" if name != "bge" else "DIR", help=what)
    parser.add_argument(
        "--pin",
        action=argparse.BooleanOptionalAction,
        help="measure on one core alone, or on all alone (default: both where it matters)",
    )
    add_output_options(parser)
    given = parser.parse_args(arguments)
    check_output_options(parser, given)
    return given


def _in_lines(names: Iterable[str]) -> str:
    return "\n".join(names)


if __name__ == "__main__":
    sys.exit(main())

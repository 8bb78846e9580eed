"""A Lance dataset of two million vectors: written, indexed and searched, beside a mapped .npy."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from bench import Bench, Suite
from files import real_lines
from measure import Usage, by_turns, run
from report import Check, Figure, LeftOut, Row, Value

__all__ = ["SUITES", "lance_index"]

_ROWS, _TEXTS, _QUERIES, _K = 2_000_000, 20_000, 200, 10
_RECALL, _MS, _MEGABYTES = 0.95, 25, 2500


def lance_index(bench: Bench, rows: int = _ROWS, texts: int = _TEXTS) -> list[Row]:
    """Everything, in one round but for searches."""
    name = f"{rows:,} x 384"
    lines = bench.folder / "lines.txt"
    found = real_lines(lines, texts, bench.given_lines)
    if found < texts:
        return [LeftOut(name, f"only {found:,} lines of real text; give --lines FILE")]
    simil = partial(_simil, bench)
    simil("embed", "-q", "-m", "minilm", str(lines), "-o", "texts.npy")
    with bench.worker("lance_index_side.py") as worker:
        worker.ask("make", rows=rows, queries=_QUERIES)
    written = simil("embed", "-q", "vectors.npy", "-o", "vectors.lance")
    plain = _size(bench.folder / "vectors.lance")
    built = simil("index", "vectors.lance")
    size = _size(bench.folder / "vectors.lance") - plain
    rows_of_search = [*_in_one_process(bench, name), *_in_fresh_processes(bench, name)]
    (bench.folder / "vectors.npy").unlink()
    return [
        Value(f"{name}: .npy to .lance", "s", [written.seconds], note=f"{plain / 1e9:.1f} GB"),
        Value(f"{name}: simil index", "s", [built.seconds], note=built.stderr.splitlines()[0]),
        Value(f"{name}: simil index, peak memory", "MB", [built.peak_bytes / 1e6], at_most=_MEGABYTES),
        Value(f"{name}: all indexes", "MB", [size / 1e6]),
        *rows_of_search,
    ]


def _in_one_process(bench: Bench, name: str) -> list[Row]:
    """Search for all queries, one by one and in one call, and compare with an exact search."""
    with bench.worker("lance_index_side.py") as worker:
        worker.ask("open", k=_K)
        sides = {side: partial(worker.ask, side) for side in ("one_by_one", "together")}
        taken = by_turns(sides, bench.repeat)
        recall, equal = worker.ask("recall"), worker.ask("equal")
    ms = {side: [1e3 * seconds / _QUERIES for seconds in each] for side, each in taken.items()}
    what = f"{name}: {_QUERIES} queries in one process"
    return [
        Value(f"{what}, one by one", "ms a query", ms["one_by_one"], at_most=_MS),
        Value(f"{what}, in one call", "ms a query", ms["together"]),
        Value(f"{what}: recall@{_K}", "", [recall], at_least=_RECALL),
        Check(f"{what}: scores", [], equal, "those of an exact search, bit for bit"),
    ]


def _in_fresh_processes(bench: Bench, name: str) -> list[Row]:
    """Search for one query by processes that do nothing else."""
    commands = {
        "index": ("search", "--queries", "query.npy", "vectors.lance"),
        "scan": ("search", "--exact", "--queries", "query.npy", "vectors.lance"),
        "npy": ("search", "--queries", "query.npy", "vectors.npy"),
    }
    taken = by_turns(
        {side: partial(_simil, bench, *command) for side, command in commands.items()}, bench.repeat
    )
    seconds = {side: [usage.seconds for usage in usages] for side, usages in taken.items()}
    peaks = {side: [usage.peak_bytes / 1e6 for usage in usages] for side, usages in taken.items()}
    what = f"{name}: 1 query, whole process"
    return [
        Figure(f"{what}, index, to a mapped .npy", "s", seconds["npy"], seconds["index"], "peer/ours"),
        Figure(f"{what}, index, to --exact", "s", seconds["scan"], seconds["index"], "peer/ours"),
        Figure(f"{what}, index: peak memory, to a .npy", "MB", peaks["npy"], peaks["index"], "ours/peer"),
        Figure(f"{what}, --exact: peak memory, to a .npy", "MB", peaks["npy"], peaks["scan"], "ours/peer"),
    ]


def _simil(bench: Bench, *arguments: str) -> Usage:
    return run([bench.simil, *arguments], env=bench.env, cwd=bench.folder)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


SUITES = {
    "lance": Suite(
        "Lance dataset",
        f"{_ROWS:,} vectors of 384 dimensions: MiniLM's of {_TEXTS:,} descriptions of Debian's packages (or "
        "lines of a file that was given), each repeated with other noise, at a cosine of about 0.9 to the "
        f"text's own. {_QUERIES} queries are made alike. `simil embed` writes them to a .lance, and `simil "
        "index` builds its indexes. Peers: an exact search of the same in a mapped .npy, and `--exact`.",
        lance_index,
        on_request=True,
    )
}

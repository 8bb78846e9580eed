"""Commands on saved vectors: a whole search compared with a plain script, dedupe with a bare product."""

from __future__ import annotations

from functools import partial

from bench import Bench, Suite
from measure import by_turns, run
from report import Check, Figure, Row

__all__ = ["SUITES"]

_DIMENSIONS = 384
_SEARCHED, _DEDUPED = 200_000, 50_000
_SLOWER, _SHARE, _MOST_BYTES = 2.0, 0.6, 10**9


def tasks(bench: Bench) -> list[Row]:
    """Create the files, then run all sides in turn."""
    with bench.worker("tasks_side.py") as worker:
        many, few, query = (str(bench.folder / name) for name in ("many.npy", "few.npy", "query.jsonl"))
        worker.ask("make", path=many, rows=_SEARCHED, dimensions=_DIMENSIONS)
        worker.ask("make", path=few, rows=_DEDUPED, dimensions=_DIMENSIONS)
        worker.ask("query", path=query, dimensions=_DIMENSIONS)
        rows = [*_search(bench, many, query), *_dedupe(bench, few)]
        taken = by_turns(
            {
                "sgemm": lambda: float(worker.ask("sgemm")),
                "dedupe": lambda: float(worker.ask("dedupe", path=few)),
            },
            bench.repeat,
        )
    flops = _DEDUPED**2 * _DIMENSIONS  # each pair once, a multiplication and an addition per dimension
    reached = [flops / seconds / 1e9 for seconds in taken["dedupe"]]
    name = f"dedupe, {_DEDUPED:,} x {_DIMENSIONS}: share of sgemm"
    return [*rows, Figure(name, "GFLOP/s", taken["sgemm"], reached, "ours/peer", at_least=_SHARE)]


def _search(bench: Bench, path: str, query: str) -> list[Row]:
    bare = bench.script("bare_search.py", path, query)
    ours = [bench.simil, "search", "--queries", query, path]
    sides = {
        "bare": lambda: run(bare, env=bench.env, cwd=bench.folder),
        "simil": lambda: run(ours, env=bench.env, cwd=bench.folder),
    }
    taken = by_turns(sides, bench.repeat)
    same = taken["bare"][0].stdout == taken["simil"][0].stdout
    name = f"search, {_SEARCHED:,} saved x {_DIMENSIONS}, whole process"
    seconds = {side: [usage.seconds for usage in usages] for side, usages in taken.items()}
    return [
        Figure(
            f"{name}, to a bare script", "s", seconds["bare"], seconds["simil"], "ours/peer", at_most=_SLOWER
        ),
        Check(f"{name}: prints what the script prints", [], same, "the same lines", ""),
    ]


def _dedupe(bench: Bench, path: str) -> list[Row]:
    command = [bench.simil, "dedupe", "-q", "--threshold", "0.9", "--show", "removed", "-f", "jsonl", path]
    dedupe = partial(run, command, env=bench.env, cwd=bench.folder, discard=True)
    usages = by_turns({"dedupe": dedupe}, bench.repeat, warm=False)["dedupe"]
    most = max(usage.peak_bytes for usage in usages)
    name = f"dedupe, {_DEDUPED:,} saved x {_DIMENSIONS}, whole process"
    seconds = [usage.seconds for usage in usages]
    return [Check(name, seconds, most <= _MOST_BYTES, "<= 1,000 MB", f"{most / 1e6:,.0f} MB at most")]


SUITES = {
    "tasks": Suite(
        "Commands on saved vectors",
        "Files as `simil embed -o FILE.npy` writes them, random unit vectors, one in ten a near copy of one "
        "before. Peers: benchmarks/bare_search.py, np.load, `matrix @ query`, argpartition and a sort; one "
        "large sgemm. Dedupe's share counts each pair once.",
        tasks,
    )
}

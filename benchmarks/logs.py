"""Groups and outliers of a log, whose times, numbers and ids are ignored: whole processes, nothing cached."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from bench import Bench, Suite
from log_lines import IGNORED, RARE, log_lines
from measure import by_turns, run
from report import Check, Row, Value

__all__ = ["SUITES"]

_LINES = 50_000
_MOST_S = 30.0
_COMMANDS = {
    "cluster": ("cluster", "--summary", "-f", "jsonl"),
    "cluster --threshold 0.8": ("cluster", "--threshold", "0.8", "--summary", "-f", "jsonl"),
    "cluster -n 20": ("cluster", "-n", "20", "--summary", "-f", "jsonl"),
    "outliers": ("outliers", "-n", str(len(RARE))),
}


def logs(bench: Bench) -> list[Row]:
    """Each command in turn on the same lines, and whether it finds the lines of which there is only one."""
    path = bench.folder / "app.log"
    path.write_text("".join(f"{line}\n" for line in log_lines(_LINES)), "utf-8")
    run([bench.simil, "models", "prepare", "minilm"], env=bench.env, cwd=bench.folder)
    ignore = [part for pattern in IGNORED for part in ("--ignore", pattern)]

    def command(words: Sequence[str]) -> list[str]:
        return [bench.simil, *words, "-q", "--no-cache", "-m", "minilm", *ignore, str(path)]

    calls = {
        name: partial(run, command(words), env=bench.env, cwd=bench.folder)
        for name, words in _COMMANDS.items()
    }
    taken = by_turns(calls, bench.repeat, warm=False)
    path.unlink()
    found = taken["outliers"][0].stdout
    return [
        *(
            Value(f"{name}, {_LINES:,} lines", "s", [usage.seconds for usage in usages], at_most=_MOST_S)
            for name, usages in taken.items()
        ),
        Check("outliers: the lines that stand alone", [], all(map(found.__contains__, _BEGUN)), "all", ""),
    ]


_BEGUN = tuple(message.partition("{")[0] for message in RARE)

SUITES = {
    "logs": Suite(
        "Logs",
        f"{_LINES:,} lines by benchmarks/log_lines.py, whose times, numbers and ids `--ignore` cuts "
        "out; whole processes with minilm, without the vector cache.",
        logs,
    )
}

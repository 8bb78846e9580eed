"""Peak memory of whole runs: it does not grow with the input, and is below that of the peer."""

from __future__ import annotations

from pathlib import Path

from bench import MINILM, Bench, Suite
from measure import by_turns, run
from report import Figure, Row
from workloads import lines, write_plugin

__all__ = ["SUITES"]


def memory(bench: Bench) -> list[Row]:
    """All rows."""
    larger = max(2, bench.texts // 4)
    return [
        _bounded(bench),
        _against_script(bench, "MiniLM", "minilm", MINILM, bench.texts),
        _against_script(bench, "bge-shaped", str(bench.bge), bench.bge, larger),
    ]


def _bounded(bench: Bench) -> Figure:
    """`simil embed` of ten times as many lines, with a plug-in that does nothing as model."""
    model = write_plugin(bench.folder / "plugin")
    env = bench.env | {"PYTHONPATH": str(bench.folder / "plugin")}
    short = lines(bench.folder / "20k.txt", 20_000)
    long = lines(bench.folder / "200k.txt", 200_000)

    def megabytes(path: Path) -> float:
        command = [bench.simil, "embed", "-m", model, str(path)]
        return run(command, env=env, cwd=bench.folder, discard=True).peak_bytes / 1e6

    sides = {"peer": lambda: megabytes(short), "ours": lambda: megabytes(long)}
    taken = by_turns(sides, bench.repeat, warm=False, timed=False)
    name = "200,000 lines, to 20,000"
    return Figure(name, "MB", taken["peer"], taken["ours"], "ours/peer", at_least=0.85, at_most=1.15)


def _against_script(bench: Bench, name: str, model: str, folder: Path, number: int) -> Figure:
    """`simil embed` of texts that are all new, compared with a script with sentence-transformers."""
    source = str(lines(bench.folder / f"{number}.txt", number))
    commands = {
        "peer": bench.script("peer_file.py", str(folder), source, "peer.npy"),
        "ours": [bench.simil, "embed", "--no-cache", "-m", model, source, "-o", "ours.npy"],
    }

    def megabytes(side: str) -> float:
        return run(commands[side], env=bench.env, cwd=bench.folder).peak_bytes / 1e6

    megabytes("ours")  # Prepares the model.
    sides = {"peer": lambda: megabytes("peer"), "ours": lambda: megabytes("ours")}
    taken = by_turns(sides, bench.repeat, warm=False, timed=False)
    return Figure(f"{number:,} lines, {name}, to the script", "MB", taken["peer"], taken["ours"], "ours/peer")


SUITES = {
    "memory": Suite(
        "Peak memory",
        "The most that a whole `simil embed` held at a time. Peers: itself with a tenth of the lines, where "
        "the model is a plug-in that does nothing; benchmarks/peer_file.py with sentence-transformers.",
        memory,
    )
}

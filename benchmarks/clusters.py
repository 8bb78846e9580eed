"""Clusters of saved vectors, compared with a script that calls scikit-learn for the same."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from bench import Bench, Suite, part
from files import real_lines
from measure import Usage, by_turns, run
from report import Figure, LeftOut, Row, Value
from workers import Worker

__all__ = ["SUITES", "clusters"]

_TEXTS, _CLUSTERS = 5_000, 20
_FASTER, _MEMORY, _ALIKE = 1.2, 1.2, 0.99
# Sums of float32 differ in their last digits.
_NO_WORSE = 1.0001


def clusters(bench: Bench, number: int = _TEXTS) -> list[Row]:
    """k-means and HDBSCAN of real texts, by whole processes in turn."""
    lines, vectors = bench.folder / f"{number}-real.txt", bench.folder / f"{number}-real.npy"
    found = real_lines(lines, number, bench.given_lines)
    if found < number:
        return [LeftOut(f"{number:,} texts", f"only {found:,} lines of real text; give --lines FILE")]
    embed = [bench.simil, "embed", "-q", "-m", "minilm", str(lines), "-o", str(vectors)]
    run(embed, env=bench.env, cwd=bench.folder)
    with bench.worker("clusters_side.py") as worker:
        k_means = ("-n", str(min(_CLUSTERS, number // 2)))
        return [
            *part("k-means", partial(_rows, bench, worker, "k-means", vectors, k_means)),
            *part("HDBSCAN", partial(_rows, bench, worker, "HDBSCAN", vectors, ())),
        ]


def _rows(
    bench: Bench, worker: Worker, method: str, vectors: Path, options: tuple[str, ...]
) -> Iterator[Row]:
    commands = {
        "peer": bench.script("clusters_script.py", str(vectors), *options[1:]),
        "ours": [bench.simil, "cluster", "-q", str(vectors), *options, "--labels-only"],
    }
    turns = {
        side: partial(run, command, env=bench.env, cwd=bench.folder) for side, command in commands.items()
    }
    taken = by_turns(turns, bench.repeat)
    seconds = {side: [usage.seconds for usage in usages] for side, usages in taken.items()}
    megabytes = {side: [usage.peak_bytes / 1e6 for usage in usages] for side, usages in taken.items()}
    labels = {side: _labels(usages[0]) for side, usages in taken.items()}
    what = f"{method}, {len(labels['peer']):,} texts x 384"
    yield Figure(f"{what}: time", "s", seconds["peer"], seconds["ours"], "peer/ours", at_least=_FASTER)
    yield Figure(
        f"{what}: peak memory", "MB", megabytes["peer"], megabytes["ours"], "ours/peer", at_most=_MEMORY
    )
    if options:
        inertia = {
            side: [worker.ask("inertia", path=str(vectors), labels=found)] for side, found in labels.items()
        }
        yield Figure(f"{what}: inertia", "", inertia["peer"], inertia["ours"], "ours/peer", at_most=_NO_WORSE)
    else:
        alike = worker.ask("adjusted_rand", one=labels["peer"], other=labels["ours"])
        yield Value(f"{what}: adjusted Rand index to the script's", "", [alike], at_least=_ALIKE)


def _labels(usage: Usage) -> list[int]:
    return [int(line) for line in usage.stdout.split()]


SUITES = {
    "clusters": Suite(
        "Clusters",
        "Whole processes: descriptions of Debian's packages (or lines of a file that was given), embedded by "
        "MiniLM and saved before. Peer: benchmarks/clusters_script.py, which is scikit-learn's KMeans with "
        "ten starts and 20 clusters, and its HDBSCAN on 50 principal components.",
        clusters,
        pinned=True,
    )
}

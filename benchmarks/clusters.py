"""k-means and HDBSCAN: the time and memory of scikit-learn called directly, on one core and on all."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from bench import Bench, Suite
from measure import Usage, by_turns, run
from report import Check, Figure, Row

__all__ = ["SUITES"]

_ROWS, _DIMENSIONS, _CLUSTERS = 5000, 384, 20
_FASTER, _MEMORY = 1.2, 1.2
_ROUNDING = 1 + 1e-6
# Starts a command that may use only one core, before it counts them.
_ON_ONE_CORE = """
import os, sys
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
os.execv(sys.argv[1], sys.argv[1:])
"""


@dataclass(frozen=True, slots=True)
class _Case:
    """A method, the vectors that it gets, and the options of `simil cluster`."""

    method: str
    kind: str
    options: Sequence[str]

    @property
    def name(self) -> str:
        return f"{self.method}, {_ROWS:,} x {_DIMENSIONS}, {self.kind}"


_CASES = (
    _Case("k-means", "topics", ["-n", str(_CLUSTERS)]),
    _Case("k-means", "random", ["-n", str(_CLUSTERS)]),
    _Case("hdbscan", "topics", []),
)


def clusters(bench: Bench) -> list[Row]:
    """Create the vectors, then run every case in turn with its peer."""
    for kind in {case.kind for case in _CASES}:
        made = bench.script("clusters_side.py", "make", kind, f"{kind}.npy", str(_ROWS), str(_DIMENSIONS))
        run(made, env=bench.env, cwd=bench.folder)
    return [row for case in _CASES for row in (*_times(bench, case), _result(bench, case))]


def _times(bench: Bench, case: _Case) -> list[Row]:
    return [row for one_core in (True, False) for row in _times_on(bench, case, one_core)]


def _times_on(bench: Bench, case: _Case, one_core: bool) -> list[Row]:
    """Return the time of the call, and the time and memory of whole processes."""
    commands = {
        "peer": _side(bench, case, "peer"),
        "ours": _side(bench, case, "ours"),
        "simil": [bench.simil, "cluster", "-q", "--labels-only", *case.options, f"{case.kind}.npy"],
    }
    if one_core:
        commands = {
            side: [sys.executable, "-c", _ON_ONE_CORE, *command] for side, command in commands.items()
        }
    usages = by_turns(
        {side: partial(run, command, env=bench.env, cwd=bench.folder) for side, command in commands.items()},
        bench.repeat,
    )
    name = f"{case.name}, {'one core' if one_core else 'all cores'}"
    seconds = {side: [usage.seconds for usage in usages[side]] for side in usages}
    peaks = {side: [usage.peak_bytes / 1e6 for usage in usages[side]] for side in usages}
    return [
        Figure(name, "s", _called(usages, "peer"), _called(usages, "ours"), "peer/ours", at_least=_FASTER),
        Figure(
            f"{name}, whole process", "s", seconds["peer"], seconds["simil"], "peer/ours", at_least=_FASTER
        ),
        Figure(f"{name}, peak memory", "MB", peaks["peer"], peaks["simil"], "ours/peer", at_most=_MEMORY),
    ]


def _result(bench: Bench, case: _Case) -> Row:
    """Return whether the inertia is no higher, or the labels are the same for the same dimensions."""
    peer, ours = (
        json.loads(run(_side(bench, case, side), env=bench.env, cwd=bench.folder).stdout)["result"]
        for side in ("checked", "ours")
    )
    if case.method == "k-means":
        ratio = ours / peer
        return Check(
            f"{case.name}: inertia", [], ratio <= _ROUNDING, "<= scikit-learn's", f"ratio {ratio:.5f}"
        )
    return Check(f"{case.name}: labels", [], ours == peer, "scikit-learn's", f"{max(ours) + 1} clusters")


def _side(bench: Bench, case: _Case, side: str) -> list[str]:
    return bench.script("clusters_side.py", side, case.method, f"{case.kind}.npy", str(_CLUSTERS))


def _called(usages: Mapping[str, Sequence[Usage]], side: str) -> list[float]:
    return [float(json.loads(usage.stdout)["seconds"]) for usage in usages[side]]


SUITES = {
    "clusters": Suite(
        "Clusters of saved vectors",
        f"Unit vectors: {_CLUSTERS} clusters by k-means, or HDBSCAN on 50 principal components. Topics are "
        "40 directions with noise; random vectors have no clusters, which takes longest. Peer: scikit-learn's"
        " `KMeans(n_init=10)`, and `PCA` with `HDBSCAN(min_samples=1)`, called directly. The call by itself, "
        "then whole processes: `simil cluster`, which also finds words, centroids and the silhouette, and a "
        "script that only loads the vectors and calls scikit-learn.",
        clusters,
    )
}

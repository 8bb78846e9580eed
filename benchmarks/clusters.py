"""k-means and HDBSCAN: the time and memory of scikit-learn called directly."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from bench import Bench, Suite, part
from files import real_lines
from measure import Usage, by_turns, run
from report import Check, Figure, LeftOut, Row

__all__ = ["SUITES", "clusters"]

_ROWS, _DIMENSIONS, _CLUSTERS = 5000, 384, 20
_FASTER, _MEMORY = 1.2, 1.2
_ROUNDING = 1 + 1e-6


@dataclass(frozen=True, slots=True)
class _Case:
    """A method, the file of vectors that it gets, and the options of `simil cluster`."""

    method: str
    kind: str
    options: Sequence[str]

    @property
    def file(self) -> str:
        return f"{self.kind}.npy"


_CASES = (
    _Case("k-means", "real texts", ["-n", str(_CLUSTERS)]),
    _Case("k-means", "random vectors", ["-n", str(_CLUSTERS)]),
    _Case("HDBSCAN", "real texts", []),
)


def clusters(bench: Bench, number: int = _ROWS) -> list[Row]:
    """Create the vectors, then run every case in turn with its peer."""
    made = bench.script("clusters_side.py", "make", "random vectors.npy", str(number), str(_DIMENSIONS))
    run(made, env=bench.env, cwd=bench.folder)
    rows: list[Row] = []
    found = _embed(bench, number)
    for case in _CASES:
        name = f"{case.method}, {number:,} {case.kind} x {_DIMENSIONS}"
        if case.kind == "real texts" and found < number:
            rows.append(LeftOut(name, f"only {found:,} lines of real text; give --lines FILE"))
        else:
            rows += part(name, partial(_measured, bench, case, name))
    return rows


def _embed(bench: Bench, number: int) -> int:
    """Embed lines of real text, unless there are fewer; return their number."""
    lines = bench.folder / "real texts.txt"
    found = real_lines(lines, number, bench.given_lines)
    if found == number:
        embed = [bench.simil, "embed", "-q", "-m", "minilm", str(lines), "-o", "real texts.npy"]
        run(embed, env=bench.env, cwd=bench.folder)
    return found


def _measured(bench: Bench, case: _Case, name: str) -> list[Row]:
    """Return the time of the call, the time and memory of whole processes, and how good the result is."""
    commands = {
        "peer": _side(bench, case, "peer"),
        "ours": _side(bench, case, "ours"),
        "simil": [bench.simil, "cluster", "-q", "--labels-only", *case.options, case.file],
    }
    usages = by_turns(
        {side: partial(run, command, env=bench.env, cwd=bench.folder) for side, command in commands.items()},
        bench.repeat,
    )
    seconds = {side: [usage.seconds for usage in usages[side]] for side in usages}
    peaks = {side: [usage.peak_bytes / 1e6 for usage in usages[side]] for side in usages}
    return [
        Figure(
            f"{name}: call",
            "s",
            _called(usages, "peer"),
            _called(usages, "ours"),
            "peer/ours",
            at_least=_FASTER,
        ),
        Figure(
            f"{name}: whole process", "s", seconds["peer"], seconds["simil"], "peer/ours", at_least=_FASTER
        ),
        Figure(f"{name}: peak memory", "MB", peaks["peer"], peaks["simil"], "ours/peer", at_most=_MEMORY),
        _result(bench, case, name),
    ]


def _result(bench: Bench, case: _Case, name: str) -> Row:
    """Return whether the inertia is no higher, or the labels are the same for the same dimensions."""
    peer, ours = (
        json.loads(run(_side(bench, case, side), env=bench.env, cwd=bench.folder).stdout)["result"]
        for side in ("checked", "ours")
    )
    if case.method == "k-means":
        ratio = ours / peer
        return Check(f"{name}: inertia", [], ratio <= _ROUNDING, "<= scikit-learn's", f"ratio {ratio:.5f}")
    return Check(f"{name}: labels", [], ours == peer, "scikit-learn's", f"{max(ours) + 1} clusters")


def _side(bench: Bench, case: _Case, side: str) -> list[str]:
    return bench.script("clusters_side.py", side, case.method, case.file, str(_CLUSTERS))


def _called(usages: Mapping[str, Sequence[Usage]], side: str) -> list[float]:
    return [float(json.loads(usage.stdout)["seconds"]) for usage in usages[side]]


SUITES = {
    "clusters": Suite(
        "Clusters",
        f"{_CLUSTERS} clusters by k-means, or HDBSCAN on 50 principal components, of descriptions of "
        "Debian's packages (or lines of a file that was given) embedded by MiniLM, and of random unit "
        "vectors, which have no clusters and take longest. Peer: scikit-learn's `KMeans(n_init=10)`, and "
        "`PCA` with `HDBSCAN(min_samples=1)`, called directly. The call by itself, then whole processes: "
        "`simil cluster`, which also finds words, centroids and the silhouette, and a script that only loads "
        "the vectors and calls scikit-learn.",
        clusters,
        pinned=True,
    )
}

"""A search whose best results a cross-encoder orders, compared with the usual script."""

from __future__ import annotations

from itertools import count, pairwise
from pathlib import Path

from bench import MINILM, Bench, Suite, say
from measure import MeasurementFailed, Usage, by_turns, run
from report import Check, Figure, Row
from workloads import texts

__all__ = ["SUITES", "same_order"]

_TEXTS, _CANDIDATES = 5000, 100
_FASTER = 2.0
# What the last digits of two engines may differ by.
_NEAR = 2e-5


def rerank(bench: Bench) -> list[Row]:
    """Whole processes in turn: the script, simil with an empty cache, and simil that knows the texts."""
    reranker = _reranker(bench)
    lines = bench.folder / "reranked.txt"
    lines.write_text("".join(f"{text}\n" for text in texts("12 words", _TEXTS)), "utf-8")
    sides = _Sides(bench, reranker, lines)
    taken = by_turns({"script": sides.script, "cold": sides.cold, "warm": sides.warm}, bench.repeat)
    same = all(map(same_order, *(_printed(taken[side]) for side in ("script", "cold"))))
    seconds = {side: [usage.seconds for usage in usages] for side, usages in taken.items()}
    name = f"search --rerank, {_TEXTS:,} texts, {_CANDIDATES} candidates"

    def figure(what: str, side: str) -> Figure:
        ours = seconds[side]
        return Figure(f"{name}, {what}", "s", seconds["script"], ours, "peer/ours", at_least=_FASTER)

    return [
        figure("empty cache", "cold"),
        figure("texts seen before, a new query", "warm"),
        Check(f"{name}: the script's order", [], same, f"the same {_CANDIDATES} texts", ""),
    ]


class _Sides:
    """Searches the same texts, each time for another query: no side knows its scores from before."""

    def __init__(self, bench: Bench, reranker: Path, lines: Path) -> None:
        self._bench = bench
        self._arguments = (str(reranker), str(lines))
        self._numbers = count()
        self._query = ""

    def script(self) -> Usage:
        """Search by the script for a new query, which `cold` then searches for, too."""
        reranker, lines = self._arguments
        self._query = f"a dog with a stick by the sea, number {next(self._numbers)}"
        return self._run(
            self._bench.script(
                "rerank_script.py", str(MINILM), reranker, lines, self._query, str(_CANDIDATES)
            )
        )

    def cold(self) -> Usage:
        """Search by simil with an empty cache."""
        self._run([self._bench.simil, "cache", "clear"])
        return self._search(self._query)

    def warm(self) -> Usage:
        """Search for a new query where the vectors of the texts are in the cache."""
        return self._search(f"{self._query} and more")

    def _search(self, query: str) -> Usage:
        reranker, lines = self._arguments
        model = ["-m", "minilm", "--rerank", reranker, "--candidates", str(_CANDIDATES)]
        return self._run([self._bench.simil, "search", query, lines, *model, "-k", str(_CANDIDATES)])

    def _run(self, command: list[str]) -> Usage:
        return run(command, env=self._bench.env, cwd=self._bench.folder)


def _reranker(bench: Bench) -> Path:
    say("making a cross-encoder of the shape of ms-marco-MiniLM-L6-v2")
    folder = bench.folder / "rerankers"
    run(bench.script("make_rerankers.py", str(folder), "bert"), env=bench.env, cwd=bench.folder)
    return folder / "bert"


def _printed(usages: list[Usage]) -> list[list[tuple[float, str]]]:
    """Return the score and the text of each line that each run printed: the first column and the last."""
    rows = [[line.split("\t") for line in usage.stdout.splitlines()] for usage in usages]
    return [[(float(row[0]), row[-1]) for row in lines] for lines in rows]


def same_order(theirs: list[tuple[float, str]], ours: list[tuple[float, str]]) -> bool:
    """Return whether both have the same texts in the same order, but for texts whose scores are the same.

    Raises `MeasurementFailed` for other texts or scores: then the sides did different work.
    """
    expected, found = ({text: score for score, text in side} for side in (theirs, ours))
    if {*expected} != {*found} or len(theirs) != len(ours):
        raise MeasurementFailed("the sides reranked other candidates")
    if any(abs(expected[text] - found[text]) > _NEAR for text in found):
        raise MeasurementFailed("the sides' scores differ")
    ordered = [expected[text] for _, text in ours]
    return all(after - before <= _NEAR for before, after in pairwise(ordered))


SUITES = {
    "rerank": Suite(
        "Search and rerank",
        f"Whole processes: {_TEXTS:,} texts of about 12 words are embedded by MiniLM, and the {_CANDIDATES} "
        "best are ordered by a cross-encoder of random weights in the shape of ms-marco-MiniLM-L6-v2. Peer: "
        "benchmarks/rerank_script.py, which is sentence-transformers' SentenceTransformer, semantic_search "
        "and CrossEncoder.rank. Each run searches for a new query.",
        rerank,
    )
}

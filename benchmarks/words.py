"""Search by words: how long it takes, and what words and meaning find, each alone and together."""

from __future__ import annotations

import json
from functools import partial

from bench import HERE, Bench, Suite
from measure import MeasurementFailed, Usage, by_turns, run
from report import Check, Figure, Row
from workloads import texts

__all__ = ["SUITES", "same_scores"]

_LINES = 1_000_000
_QUERY = "a dog with the stick by sea"
_FASTER = 1.5
# What sums of float32 in another order may differ by.
_NEAR = 1e-4
_SETS = {
    "names and codes": "names_and_codes.tsv",
    "questions and answers": "questions_and_answers.tsv",
    "the demo's queries": None,
}


def words(bench: Bench) -> list[Row]:
    """Whole processes in turn, then the quality of each way to search."""
    lines = bench.folder / "lines.txt"
    lines.write_text("".join(f"{text}\n" for text in texts("6 words", _LINES)), "utf-8")
    sides = {
        "script": bench.script("words_script.py", str(lines), _QUERY),
        "ours": [bench.simil, "search", "--words", _QUERY, str(lines), "-k", "10"],
    }
    calls = {name: partial(_run, bench, side) for name, side in sides.items()}
    taken = by_turns(calls, bench.repeat)
    lines.unlink()
    for one, other in zip(taken["script"], taken["ours"], strict=True):
        same_scores(_scores(one), _scores(other))
    seconds = {side: [usage.seconds for usage in usages] for side, usages in taken.items()}
    name = f"search --words, {_LINES:,} lines"
    return [
        Figure(name, "s", seconds["script"], seconds["ours"], "peer/ours", at_least=_FASTER),
        *(_quality(bench, *each) for each in _SETS.items()),
    ]


def _run(bench: Bench, command: list[str]) -> Usage:
    return run(command, env=bench.env, cwd=bench.folder)


def _scores(usage: Usage) -> list[float]:
    return [float(line.partition("\t")[0]) for line in usage.stdout.splitlines()]


def same_scores(theirs: list[float], ours: list[float]) -> None:
    """Raise `MeasurementFailed` unless both sides found texts of the same scores."""
    near = all(abs(one - other) <= _NEAR for one, other in zip(theirs, ours, strict=False))
    if len(theirs) != len(ours) or not near:
        raise MeasurementFailed(f"the sides' scores differ: {theirs} and {ours}")


def _quality(bench: Bench, name: str, file: str | None) -> Row:
    """Check that both together are no worse than the better of words and meaning alone."""
    data = ["--demo"] if file is None else [str(HERE / "data" / file)]
    command = [bench.simil, "eval", *data, "--retrieval", "--hybrid", "-m", "minilm", "--resamples", "0"]
    found = json.loads(_run(bench, [*command, "-f", "json"]).stdout)["data"]
    by_words, by_meaning, both = (row["ndcg@10"] for row in found)
    figures = f"nDCG@10 by words {by_words:.4f}, by meaning {by_meaning:.4f}, hybrid {both:.4f}"
    return Check(f"search --hybrid, {name}: {figures}", [], both >= max(by_words, by_meaning), "the best", "")


SUITES = {
    "words": Suite(
        "Search by words, and by words and meaning",
        f"Whole processes: {_LINES:,} lines of six words, one query, BM25 without an index from before. "
        "Peer: benchmarks/words_script.py, which is bm25s with its own tokenizer. Then `simil eval "
        "--retrieval --hybrid` with minilm on benchmarks/data and the demo.",
        words,
    )
}

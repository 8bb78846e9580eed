"""Cross-encoders in three shapes: the same scores as sentence-transformers', alone and in a batch."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from pathlib import Path

from bench import Bench, Suite, say
from measure import by_turns, run
from report import Check, Figure, Row

__all__ = ["SUITES"]

# How many pairs each shape scores.
_SHAPES = {"bert": 100, "xlm-r": 20, "modernbert": 20}
_NEAR = 1e-5


def pair_scores(bench: Bench) -> list[Row]:
    """Score the same pairs in two processes, in turn."""
    return [row for shape, number in _SHAPES.items() for row in _shape(bench, shape, number)]


def _shape(bench: Bench, shape: str, number: int) -> list[Row]:
    folder = str(_reranker(bench, shape))
    with ExitStack() as at_end:
        sides = {
            side: at_end.enter_context(bench.worker("pair_scores_side.py", side, folder))
            for side in ("peer", "ours")
        }
        seconds = by_turns(
            {side: partial(worker.ask, "seconds", number=number) for side, worker in sides.items()},
            bench.repeat,
        )
        theirs, ours = (sides[side].ask("scores", number=number) for side in ("peer", "ours"))
        alone = sides["ours"].ask("scores_alone", number=number)
    error = max(abs(one - other) for one, other in zip(theirs, ours, strict=True))
    what, note = f"{number} pairs, {shape} shape", f"largest error {error:.1g}"
    return [
        Figure(what, "s", seconds["peer"], seconds["ours"], "peer/ours"),
        Check(f"{what}: CrossEncoder's scores", [], error <= _NEAR, f"<= {_NEAR:g}", note),
        Check(f"{what}: alone and in a batch", [], alone == ours, "same bits"),
    ]


def _reranker(bench: Bench, shape: str) -> Path:
    folder = bench.folder / "rerankers" / shape
    if not folder.exists():
        say(f"making a cross-encoder of the {shape} shape")
        command = bench.script("make_rerankers.py", str(folder.parent), shape)
        run(command, env=bench.env, cwd=bench.folder)
    return folder


SUITES = {
    "pair-scores": Suite(
        "Scores of pairs",
        "A question of about 6 words with a text of 12 words (six of ten), 230 tokens (three) or 500 (one), "
        "scored by warm processes with cross-encoders of random weights in the shapes of "
        "ms-marco-MiniLM-L6-v2 (BERT), bge-reranker-base (XLM-R) and gte-reranker-modernbert-base. Peer: "
        "sentence-transformers' CrossEncoder.predict.",
        pair_scores,
    )
}

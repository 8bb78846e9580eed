"""Answers how one side scores pairs of texts, and how long that takes; see `workers`.

python benchmarks/pair_scores_side.py peer|ours FOLDER
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable

from workers import serve
from workloads import texts

Pair = tuple[str, str]
Score = Callable[[list[Pair]], list[float]]

# Of ten texts, how many are of each length; the longest are cut beside a question.
_LENGTHS = {"12 words": 6, "230 tokens": 3, "500 tokens": 1}


def main() -> None:
    side, folder = sys.argv[1:]
    score = _peer(folder) if side == "peer" else _ours(folder)
    score(_pairs(10))

    def seconds(number: int) -> float:
        pairs = _pairs(number)
        began = time.perf_counter()
        score(pairs)
        return time.perf_counter() - began

    serve(
        {
            "seconds": seconds,
            "scores": lambda number: score(_pairs(number)),
            "scores_alone": lambda number: [score([pair])[0] for pair in _pairs(number)],
        }
    )


def _pairs(number: int) -> list[Pair]:
    """Return so many pairs, a multiple of ten, the same in every process."""
    chance = random.Random(0)
    documents = [text for length, share in _LENGTHS.items() for text in texts(length, share * number // 10)]
    chance.shuffle(documents)
    return [*zip(texts("6 words", len(documents)), documents, strict=True)]


def _peer(folder: str) -> Score:
    from sentence_transformers import CrossEncoder

    model = CrossEncoder(folder, device="cpu", local_files_only=True)
    return lambda pairs: [float(score) for score in model.predict(pairs, show_progress_bar=False)]


def _ours(folder: str) -> Score:
    from simil.config import load_settings
    from simil.scorers.scorer_factory import open_scorer

    scorer = open_scorer(load_settings(model=folder, cache=False))
    return lambda pairs: [float(score) for score in scorer.score(pairs)]


if __name__ == "__main__":
    main()

"""How well vectors do on what people have judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from simil import similarity
from simil.tasks import measures
from simil.tasks.judgements import LabelledPairs, Retrieval
from simil.tasks.measures import Score

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["NDCG_AT", "pair_scores", "quality_of_pairs", "quality_of_retrieval"]

NDCG_AT = 10


def pair_scores(pairs: LabelledPairs, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the cosine of each pair, float32 [n]; `vectors` are those of the pairs' texts."""
    return similarity.pairwise(vectors[pairs.left], vectors[pairs.right])


def quality_of_pairs(
    pairs: LabelledPairs, scores: NDArray[np.float32], *, positive_from: float | None, resamples: int
) -> Mapping[str, Score]:
    """Return how the cosines of pairs go with what people say of them.

    Correlations; and where it is known which pairs are alike, the average precision, and the best F1 with its
    threshold, precision and recall.
    """
    import numpy as np

    found, count = scores.astype(np.float64), len(scores)
    quality = {
        "spearman": measures.scored(measures.spearman(found, pairs.scores), count, resamples),
        "pearson": measures.scored(measures.pearson(found, pairs.scores), count, resamples),
    }
    alike = pairs.alike(positive_from)
    if alike is None:
        return quality
    quality["average_precision"] = measures.scored(measures.average_precision(found, alike), count, resamples)
    quality["f1"] = measures.scored(measures.best_f1(found, alike), count, resamples)
    cutoff = measures.best_cutoff(found, alike)
    for name in ("threshold", "precision", "recall"):
        quality[name] = Score(None if cutoff is None else getattr(cutoff, name))
    return quality


def quality_of_retrieval(
    judged: Retrieval,
    queries: NDArray[np.float32],
    documents: NDArray[np.float32],
    *,
    at: Sequence[int],
    resamples: int,
) -> Mapping[str, Score]:
    """Return how near the top of all documents the relevant ones come: recall at each of `at`, and nDCG at 10."""
    import numpy as np

    recalls: dict[int, list[float]] = {k: [] for k in at}
    gains: list[float] = []
    for start, block in similarity.matrix_blocks(queries, documents):
        for row, scores in enumerate(block, start):
            relevant = judged.relevant[row]
            own = scores[[*relevant]][:, None]
            above, equal = (scores > own).sum(axis=1), (scores == own).sum(axis=1)
            for k in at:
                recalls[k].append(measures.recall(above, equal, k))
            gains.append(measures.ndcg(above, equal, np.array([*relevant.values()]), NDCG_AT))
    named = {f"recall@{k}": values for k, values in recalls.items()} | {f"ndcg@{NDCG_AT}": gains}
    return {
        name: measures.scored(measures.mean(np.array(values)), len(values), resamples)
        for name, values in named.items()
    }

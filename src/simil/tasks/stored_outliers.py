"""Outliers of a dataset that is larger than memory: block by block, each row with its nearest ones."""

from __future__ import annotations

from simil.errors import UsageError
from simil.tasks.exact_passes import check_passes
from simil.tasks.outlier_detection import OutlierMethod, Outliers, knn_scores, neighbours_to_use, without_self
from simil.tasks.stored_corpus import CorpusInBlocks, rows_at_once

__all__ = ["stored_outliers"]

# Of a row: the scores, rows and keys of each of its nearest, and of those kept in case of rounding.
_PER_NEIGHBOUR, _SPARE = 64, 17


def stored_outliers(
    corpus: CorpusInBlocks,
    reference: CorpusInBlocks | None = None,
    *,
    method: OutlierMethod = OutlierMethod.KNN,
    k: int = 10,
) -> Outliers:
    """Return what `outliers` does; by the candidates of an index where there is one.

    Raises `UsageError` for other methods than knn, and where comparing all texts takes too long.
    """
    import numpy as np

    among = corpus if reference is None else reference
    k = neighbours_to_use(len(among), k, method, in_reference=reference is not None)
    if method is not OutlierMethod.KNN:
        # Cosines of float32 do not give the small distances that lof divides by.
        raise UsageError(f"{method} needs all vectors in memory", hint="knn works on larger datasets")
    check_passes(len(corpus), among, corpus.dimensions)
    scores, cosines = np.empty((2, len(corpus)), np.float32)
    nearest = np.empty(len(corpus), np.int64)
    own = corpus is among
    step = rows_at_once(4 * corpus.dimensions + _PER_NEIGHBOUR * (k + _SPARE))
    for first, block in corpus.blocks(step, "comparing"):
        rows = np.arange(first, first + len(block))
        near, numbers = among.nearest(block, k + own)
        if own:
            near, numbers = without_self(near, numbers, rows)
        near = np.clip(near, -1, 1)
        scores[rows] = knn_scores(near)
        nearest[rows], cosines[rows] = numbers[:, 0], near[:, 0]
    return Outliers(scores, nearest, cosines, k)

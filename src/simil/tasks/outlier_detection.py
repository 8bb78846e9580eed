"""Outlier detection: how unlike the other texts, or unlike normal texts, each text is."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from enum import StrEnum
from math import ceil
from typing import TYPE_CHECKING, Any

from simil import similarity
from simil.blas import use_all_cores
from simil.errors import InputError
from simil.similarity.search_among_copies import top_k_among_copies
from simil.tasks.corpus import Corpus

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "OutlierMethod",
    "Outliers",
    "knn_scores",
    "neighbours_to_use",
    "outliers",
    "top_outliers",
    "without_self",
]

# The error of float32 between equal vectors; counts as no distance.
_NO_DISTANCE = 5e-7
_SEED = 0


class OutlierMethod(StrEnum):
    """How to score outliers. Higher means more unusual; each method has its own scale.

    KNN: 1 - mean cosine similarity to the nearest neighbours. LOF: how much farther a text is from its
    neighbours than these are from theirs (Breunig et al. 2000), about 1 for a normal text. FOREST: how few
    random splits isolate it from the rest (Liu et al. 2008), 0 to 1.
    """

    KNN = "knn"
    LOF = "lof"
    FOREST = "isolation-forest"

    @property
    def has_neighbours(self) -> bool:
        """Whether the method uses nearest neighbours."""
        return self is not OutlierMethod.FOREST


@dataclass(frozen=True, eq=False, slots=True)
class Outliers:
    """The score of each text, float32 [n], and its nearest other text: row int64 [n], cosine float32 [n].

    The rows are those of the reference if there is one. `k` is the number of neighbours used, None for a
    method without neighbours.
    """

    scores: NDArray[np.float32]
    nearest: NDArray[np.int64]
    similarities: NDArray[np.float32]
    k: int | None


def outliers(
    corpus: Corpus, reference: Corpus | None = None, *, method: OutlierMethod = OutlierMethod.KNN, k: int = 10
) -> Outliers:
    """Return the score of each text of `corpus` among the others, or among those of `reference` if given.

    `k` is at most the number of texts available. Scores are those of scikit-learn: of
    `NearestNeighbors` under cosine distance, `LocalOutlierFactor` under the Euclidean distance of unit
    vectors, and `IsolationForest` with a fixed seed. Raises `InputError` if there are too few texts.
    """
    import numpy as np

    among = corpus if reference is None else reference
    k = neighbours_to_use(len(among), k, method, in_reference=reference is not None)
    if not len(corpus):
        none = np.empty(0, np.float32)
        return Outliers(none, np.empty(0, np.int64), none, k if method.has_neighbours else None)
    wanted = k if method is OutlierMethod.KNN else 1
    if reference is None:
        cosines, rows = _nearest_others(corpus.vectors, wanted)
    else:
        cosines, rows = top_k_among_copies(corpus.vectors, reference.vectors, wanted)
    cosines = np.clip(cosines, -1, 1)
    if method is OutlierMethod.KNN:
        scores = knn_scores(cosines)
    else:
        use_all_cores(len(corpus) * among.vectors.size)
        estimator = _lof(k, novel=reference is not None) if method is OutlierMethod.LOF else _forest()
        scores = _scores_by(estimator, corpus.vectors, None if reference is None else reference.vectors)
    return Outliers(
        scores.astype(np.float32), rows[:, 0], cosines[:, 0], k if method.has_neighbours else None
    )


def neighbours_to_use(among: int, k: int, method: OutlierMethod, *, in_reference: bool) -> int:
    """Return `k`, at most the number of other texts; `InputError` if of `among` texts there are too few."""
    least = 1 if in_reference and method is OutlierMethod.KNN else 2
    if among < least:
        raise _too_few(among, least, in_reference)
    most = among if in_reference and method is OutlierMethod.KNN else among - 1
    return max(1, min(k, most))


def knn_scores(cosines: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return 1 less the mean of the cosines of each row [n, k], 0 where that is the error of float32."""
    import numpy as np

    scores: NDArray[np.float64] = 1 - cosines.mean(axis=1, dtype=np.float64)
    scores[np.abs(scores) < _NO_DISTANCE] = 0
    return scores


def without_self(
    cosines: NDArray[np.float32], rows: NDArray[np.int64], own: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return neighbours [n, k + 1] of the rows `own` [n] without these, [n, k]."""
    left_out = rows == own[:, None]
    # A row with more than k copies may not be in its own list; then any of them is dropped.
    left_out[~left_out.any(axis=1), -1] = True
    k = rows.shape[1] - 1
    return cosines[~left_out].reshape(-1, k), rows[~left_out].reshape(-1, k)


def top_outliers(
    scores: NDArray[np.float32],
    *,
    count: int | None = None,
    threshold: float | None = None,
    share: float | None = None,
) -> NDArray[np.int64]:
    """Return the rows with the highest scores, highest first, ties in their order.

    At most `count`; only those that score at least `threshold`; and, of n rows, as many as scikit-learn calls
    outliers at a contamination of `share`: that share of n - 1, rounded up.
    """
    import numpy as np

    order = np.argsort(-scores, kind="stable")
    if share is not None:
        # In floating point, 0.07 * 100 is a little more than 7.
        order = order[: max(1, ceil(round(share * (len(scores) - 1), 9)))]
    if threshold is not None:
        order = order[scores[order] >= similarity.lowest_score(threshold)]
    return order[:count]


def _nearest_others(vectors: NDArray[np.float32], k: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the cosines and rows of the k nearest neighbours of each row, without itself."""
    import numpy as np

    cosines, rows = top_k_among_copies(vectors, vectors, k + 1)
    return without_self(cosines, rows, np.arange(len(rows)))


def _lof(k: int, *, novel: bool) -> Any:
    from sklearn.neighbors import LocalOutlierFactor

    return LocalOutlierFactor(n_neighbors=k, metric="euclidean", novelty=novel)


def _forest() -> Any:
    from sklearn.ensemble import IsolationForest

    return IsolationForest(random_state=_SEED)


def _scores_by(
    estimator: Any, vectors: NDArray[np.float32], reference: NDArray[np.float32] | None
) -> NDArray[Any]:
    with warnings.catch_warnings():
        # About many equal texts, which the caller reports in its own words.
        warnings.filterwarnings("ignore", message="Duplicate values", category=UserWarning)
        estimator.fit(vectors if reference is None else reference)
    if reference is None and hasattr(estimator, "negative_outlier_factor_"):
        return -estimator.negative_outlier_factor_  # type: ignore[no-any-return]
    return -estimator.score_samples(vectors)  # type: ignore[no-any-return]


def _too_few(found: int, least: int, in_reference: bool) -> InputError:
    what = "no text" if found == 0 else "only one text"
    if in_reference:
        return InputError(f"there is {what} in the reference", hint=f"give at least {_NUMBERS[least]}")
    return InputError(
        f"there is {what}, but outliers need at least two", hint="give more texts, or --reference"
    )


_NUMBERS = {1: "one", 2: "two"}

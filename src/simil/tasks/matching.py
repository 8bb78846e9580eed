"""Matching: which rows of two tables belong together by meaning."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import chain, groupby, islice
from operator import itemgetter
from typing import TYPE_CHECKING

from simil import similarity
from simil.blas import use_all_cores
from simil.errors import UsageError
from simil.tasks.corpus import Corpus, equal_unknown

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "MOST_BYTES",
    "Matches",
    "assigned",
    "check_one_to_one",
    "equal_matches",
    "keep_one_to_one",
    "lowest_match",
    "match",
    "match_one_to_one",
    "nothing_found",
]

# The limit for the matrix of all pairs, in float64 as the assignment needs it: 16,000 by 16,000 rows.
MOST_BYTES = 2 * 1024**3
_BLOCK_ROWS = 1024


@dataclass(frozen=True, eq=False, slots=True)
class Matches:
    """Matching pairs: rows of the left and the right side, int64 [pairs], and their cosines, float32 [pairs].

    Pairs are in the order of the left rows, those of one left row by descending score. `nearest_miss` is the
    best pair (left, right, score) if no pair reaches the threshold. Where a cross-encoder has ordered the
    pairs, `rerank_scores` float32 [pairs] are what it says of them.
    """

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    scores: NDArray[np.float32]
    nearest_miss: tuple[int, int, np.float32] | None = None
    rerank_scores: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.left)


def match(left: Corpus, right: Corpus, *, k: int = 1, threshold: float | None = None) -> Matches:
    """Return, for each text of `left`, the `k` nearest texts of `right` that score at least `threshold`.

    A text of which the model knows nothing matches only equal ones.
    """
    import numpy as np

    found = equal_matches(left, right, k, threshold)
    rows, vectors = left.known()
    columns, others = right.known()
    if not len(rows) or not len(columns):
        return found
    scores, nearest = similarity.top_k(vectors, others, k)
    np.clip(scores, -1, 1, out=scores)
    reached = scores >= lowest_match(threshold)
    which, places = np.nonzero(reached)
    if not len(which) and not len(found):
        best = int(scores[:, 0].argmax())
        return nothing_found((int(rows[best]), int(columns[nearest[best, 0]]), scores[best, 0]))
    lefts = np.concatenate([rows[which], found.left])
    rights = np.concatenate([columns[nearest[which, places]], found.right])
    every = np.concatenate([scores[which, places], found.scores])
    order = np.argsort(lefts, kind="stable")
    return Matches(lefts[order], rights[order], every[order])


def match_one_to_one(left: Corpus, right: Corpus, *, threshold: float | None = None) -> Matches:
    """Return the pairs with the largest sum of scores such that each text is in at most one pair.

    This matches all texts of the smaller side; a `threshold` allows only pairs that score at least that,
    and a text of which the model knows nothing is paired only with an equal one. Raises `UsageError` if the
    matrix of all pairs would take more than `MOST_BYTES`.
    """
    import numpy as np
    from scipy.optimize import linear_sum_assignment

    check_one_to_one(len(left), len(right))
    if not len(left) or not len(right):
        return nothing_found()
    # scipy copies a matrix that has more rows than columns, and one to be maximized.
    turned = len(left) > len(right)
    high, wide = (right, left) if turned else (left, right)
    costs = _costs(high, wide)
    best = np.unravel_index(costs.argmin(), costs.shape)
    best_score = np.float32(-costs[best])
    limit = lowest_match(threshold)
    allowed = costs <= -limit
    # A forbidden pair adds nothing to the sum, and never more than an allowed one.
    costs[~allowed] = max(0.0, float(-limit))
    i, j = linear_sum_assignment(costs)
    kept = allowed[i, j]
    if not kept.any():
        a, b = (int(place) for place in (best[::-1] if turned else best))
        return nothing_found((a, b, best_score) if np.isfinite(best_score) else None)
    i, j = i[kept], j[kept]
    rows, columns = (j, i) if turned else (i, j)
    order = np.argsort(rows)
    return Matches(rows[order], columns[order], -costs[i, j].astype(np.float32)[order])


def check_one_to_one(lefts: int, rights: int) -> None:
    """Raise `UsageError` if the matrix of so many rows and columns would take more than `MOST_BYTES`."""
    needed = 8 * lefts * rights
    if needed > MOST_BYTES:
        raise UsageError(
            f"matching {lefts} rows with {rights} one to one takes {needed / 1024**3:.1f} GiB, "
            f"more than {MOST_BYTES // 1024**3}",
            hint="match parts of them, or leave out --one-to-one",
        )


def keep_one_to_one(found: Matches) -> Matches:
    """Return as many of the reranked pairs as can be such that each text is in at most one.

    Of all ways to choose them, that with the largest sum of `rerank_scores`. The caller has seen to
    `check_one_to_one`.
    """
    import numpy as np
    from scipy.optimize import linear_sum_assignment

    if found.rerank_scores is None or not len(found):
        return found
    lefts, i = np.unique(found.left, return_inverse=True)
    rights, j = np.unique(found.right, return_inverse=True)
    scores = found.rerank_scores.astype(np.float64)
    scores -= scores.min()
    gains = np.zeros((len(lefts), len(rights)))
    # One more pair is worth more than the best scores of all.
    gains[i, j] = scores + scores.max() * min(gains.shape) + 1
    rows, columns = linear_sum_assignment(gains, maximize=True)
    kept = np.isin(i * len(rights) + j, rows * len(rights) + columns)
    return replace(
        found,
        left=found.left[kept],
        right=found.right[kept],
        scores=found.scores[kept],
        rerank_scores=found.rerank_scores[kept],
    )


def assigned(
    rows: NDArray[np.int64], columns: NDArray[np.int64], costs: NDArray[np.float64], none: float
) -> NDArray[np.int64]:
    """Return which of the pairs of `rows` and `columns` are chosen, int64, such that each is in at most one.

    The sum of their `costs` is the smallest there is; a row without a pair costs `none`.
    """
    import numpy as np
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import min_weight_full_bipartite_matching

    asked, i = np.unique(rows, return_inverse=True)
    found, j = np.unique(columns, return_inverse=True)
    # Each row has a column of its own for no pair. A cost of 0 would be no pair, so all are above.
    least = min(float(costs.min(initial=0)), none) - 1
    each = np.arange(len(asked))
    values = np.concatenate([costs, np.full(len(asked), none)]) - least
    places = (np.concatenate([i, each]), np.concatenate([j, len(found) + each]))
    table = csr_array((values, places), shape=(len(asked), len(found) + len(asked)))
    table.sort_indices()
    chosen_rows, chosen_columns = min_weight_full_bipartite_matching(table)
    pairs = i * np.int64(len(found) + len(asked)) + j
    return np.flatnonzero(np.isin(pairs, chosen_rows * np.int64(len(found) + len(asked)) + chosen_columns))


def lowest_match(threshold: float | None) -> np.float32:
    """Return the lowest score of a match; a cosine is not below -1, which is that of any pair."""
    return similarity.lowest_score(-1 if threshold is None else max(threshold, -1))


def equal_matches(left: Corpus, right: Corpus, k: int, threshold: float | None) -> Matches:
    """Return the first `k` equals of each text of `left` of which the model knows nothing."""
    import numpy as np

    if lowest_match(threshold) > 1:
        return nothing_found()
    equals = groupby(equal_unknown(left, right), key=itemgetter(0))
    pairs = [pair for _, same in equals for pair in islice(same, k)]
    if not pairs:
        return nothing_found()
    rows, columns = np.array(pairs, np.int64).T
    return Matches(rows, columns, np.ones(len(pairs), np.float32))


def _costs(left: Corpus, right: Corpus) -> NDArray[np.float64]:
    """Return the negative cosine of each pair, rounded as by `similarity.top_k`.

    It is infinite where the model knows nothing of one of the two, unless they are equal.
    """
    import numpy as np

    use_all_cores(len(left) * right.vectors.size)
    costs = np.empty((len(left), len(right)))
    others = right.vectors.astype(np.float64).T
    for start in range(0, len(left), _BLOCK_ROWS):
        block = left.vectors[start : start + _BLOCK_ROWS].astype(np.float64) @ others
        costs[start : start + _BLOCK_ROWS] = block.astype(np.float32)
    np.clip(costs, -1, 1, out=costs)
    np.negative(costs, out=costs)
    costs[left.unknown_rows()] = np.inf
    costs[:, right.unknown_rows()] = np.inf
    for row, equal in chain(
        equal_unknown(left, right), ((row, equal) for equal, row in equal_unknown(right, left))
    ):
        costs[row, equal] = -1
    return costs


def nothing_found(nearest_miss: tuple[int, int, np.float32] | None = None) -> Matches:
    import numpy as np

    none = np.empty(0, np.int64)
    return Matches(none, none, np.empty(0, np.float32), nearest_miss)

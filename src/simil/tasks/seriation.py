"""Seriation: an order of items in which those that are alike stand side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simil.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["MOST_ORDERED", "cluster_order"]

MOST_ORDERED = 10_000
"""The most items that are ordered: memory grows with the square of their number."""
# Up to this many the best order of the leaves is looked for, whose time grows with the cube of their number.
_MOST_OPTIMAL = 1_000


def cluster_order(scores: NDArray[np.floating[Any]], *, is_distance: bool = False) -> NDArray[np.int64]:
    """Return the rows of a matrix of scores, float [n, n], in an order that groups what is alike.

    That is the order of the leaves of average-linkage clustering, in which neighbours are as alike as the
    tree allows (Bar-Joseph et al., 2001, as SciPy computes it); of more than 1,000 items, any order of the
    tree. A score that is nan counts as the least alike. Raises `UsageError` for more than `MOST_ORDERED`.
    """
    import numpy as np
    from scipy.cluster.hierarchy import leaves_list, linkage, optimal_leaf_ordering
    from scipy.spatial.distance import squareform

    count = len(scores)
    if count > MOST_ORDERED:
        raise UsageError(
            f"--order cluster takes at most {MOST_ORDERED:,} texts, and these are {count:,}",
            hint="leave it out, or compare fewer",
        )
    if count < 3:
        return np.arange(count)
    apart = np.array(scores, np.float64) if is_distance else -np.asarray(scores, np.float64)
    # A cross-encoder's scores depend on the order of the two texts.
    apart = (apart + apart.T) / 2
    np.fill_diagonal(apart, np.nan)
    known = apart[~np.isnan(apart)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)
    # Distances begin at 0, whatever the scores are.
    distances = squareform(np.nan_to_num(apart, nan=high) - low, checks=False)
    tree = linkage(distances, "average")
    if count <= _MOST_OPTIMAL:
        tree = optimal_leaf_ordering(tree, distances)
    order: NDArray[np.int64] = leaves_list(tree).astype(np.int64)
    # Read from either end the order is the same: begin nearer to the first item.
    return order if order[0] <= order[-1] else order[::-1].copy()

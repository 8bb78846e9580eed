"""The silhouette of clusters: how much nearer texts are to their own cluster than to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simil.blas import use_all_cores

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["mean_silhouette", "sum_of_silhouettes"]

_VALUES = 1 << 20  # similarities at once


def mean_silhouette(vectors: NDArray[np.float32], labels: NDArray[np.int64]) -> np.float32:
    """Return the mean silhouette (Rousseeuw 1987) by cosine distance of unit `vectors` [n, d].

    `labels` int64 [n] are their clusters, two or more. The mean distance to the vectors of a cluster is
    1 less the product with their mean, so no pair is computed. A vector alone in its cluster counts as 0.
    """
    import numpy as np

    names, of = np.unique(labels, return_inverse=True)
    sizes = np.bincount(of)
    sums = np.stack([vectors[of == place].sum(axis=0, dtype=np.float64) for place in range(len(names))])
    use_all_cores(len(names) * vectors.size)
    return np.float32(sum_of_silhouettes(vectors, of, sums, sizes) / len(vectors))


def sum_of_silhouettes(
    vectors: NDArray[np.float32], of: NDArray[np.int64], sums: NDArray[np.float64], sizes: NDArray[np.int64]
) -> float:
    """Return the sum of the silhouettes of some vectors.

    They are in the clusters `of` int64 [n], from 0; `sums` float64 [k, d] and `sizes` int64 [k] are those of
    all vectors of each cluster.
    """
    import numpy as np

    total = 0.0
    step = max(1, _VALUES // max(len(sizes), vectors.shape[1]))
    for start in range(0, len(vectors), step):
        block, own = vectors[start : start + step].astype(np.float64), of[start : start + step]
        each = np.arange(len(block))
        products = block @ sums.T
        # Without the vector itself.
        products[each, own] -= np.einsum("ij,ij->i", block, block)
        counts = np.tile(sizes, (len(block), 1))
        counts[each, own] -= 1
        distances = (1 - products / np.maximum(counts, 1)).clip(0)
        inside = distances[each, own]
        distances[each, own] = np.inf
        outside = distances.min(axis=1)
        larger = np.maximum(inside, outside)
        scores = np.divide(outside - inside, larger, out=np.zeros(len(block)), where=larger > 0)
        total += float(scores[sizes[own] > 1].sum())
    return total

"""Makes vectors, or clusters them by one side; prints the seconds that the call took, and its result."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

_MIN_SIZE, _DIMENSIONS = 5, 50


def make(path: str, rows: int, dimensions: int) -> None:
    """Write random unit vectors."""
    vectors = np.random.default_rng(0).standard_normal((rows, dimensions))
    np.save(path, (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32))


def method_of(side: str, method: str, clusters: int) -> Callable[[NDArray[np.float32]], Any]:
    """Import what a side needs, and return what gives labels."""
    if (side, method) == ("ours", "k-means"):
        from simil.tasks.kmeans import kmeans

        return lambda vectors: kmeans(vectors, clusters)
    if side == "ours":
        from simil.similarity import principal_components
        from simil.tasks.hdbscan import hdbscan

        return lambda vectors: hdbscan(principal_components(vectors, _DIMENSIONS)[0], _MIN_SIZE)
    if method == "k-means":
        from sklearn.cluster import KMeans

        return lambda vectors: KMeans(clusters, n_init=10, random_state=0).fit(vectors).labels_
    from sklearn.cluster import HDBSCAN
    from sklearn.decomposition import PCA

    found = HDBSCAN(min_cluster_size=_MIN_SIZE, min_samples=1, copy=True)
    if side == "checked":
        from simil.similarity import principal_components

        return lambda vectors: found.fit(principal_components(vectors, _DIMENSIONS)[0]).labels_
    return lambda vectors: found.fit(PCA(_DIMENSIONS, random_state=0).fit_transform(vectors)).labels_


def result_of(vectors: NDArray[np.float32], labels: NDArray[Any], method: str) -> Any:
    """Return the inertia of k-means; of HDBSCAN the labels, numbered in the order of the texts."""
    if method == "HDBSCAN":
        numbers: dict[int, int] = {-1: -1}
        return [numbers.setdefault(label, len(numbers) - 1) for label in labels.tolist()]
    exact = vectors.astype(np.float64)
    groups = (exact[labels == label] for label in np.unique(labels))
    return float(sum(((group - group.mean(axis=0)) ** 2).sum() for group in groups))


def main(side: str, method: str, path: str, clusters: int) -> None:
    """Print the seconds and the result of one call."""
    vectors = np.load(path)
    work = method_of(side, method, clusters)
    began = time.perf_counter()
    labels = work(vectors)
    seconds = time.perf_counter() - began
    # The peak memory of the peer's process must not be that of the check.
    result = result_of(vectors, labels, method) if side != "peer" else None
    print(json.dumps({"seconds": seconds, "result": result}))


if __name__ == "__main__":
    what, *arguments = sys.argv[1:]
    if what == "make":
        make(arguments[0], *map(int, arguments[1:]))
    else:
        method, path, clusters = arguments
        main(what, method, path, int(clusters))

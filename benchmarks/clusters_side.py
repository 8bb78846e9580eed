"""Answers how good clusters are, and how much two clusterings agree; see `workers`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.metrics import adjusted_rand_score
from workers import serve


def inertia(path: str, labels: Sequence[int]) -> float:
    """Return the sum of the squared distances of a file's vectors to the means of their clusters."""
    vectors, clusters = np.load(path).astype(np.float64), np.array(labels)
    parts = [vectors[clusters == cluster] for cluster in np.unique(clusters)]
    return float(sum(((part - part.mean(axis=0)) ** 2).sum() for part in parts))


def adjusted_rand(one: Sequence[int], other: Sequence[int]) -> float:
    """Return the adjusted Rand index; texts in no cluster are a cluster of their own."""
    return float(adjusted_rand_score(one, other))


if __name__ == "__main__":
    serve({"inertia": inertia, "adjusted_rand": adjusted_rand})

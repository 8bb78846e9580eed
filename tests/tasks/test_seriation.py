"""Seriation: items of a group stand together, whatever their order was."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.cluster.hierarchy import leaves_list, linkage, optimal_leaf_ordering
from scipy.spatial.distance import squareform

from simil.tasks.seriation import cluster_order


@pytest.mark.parametrize("is_distance", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_groups_stand_together(seed: int, is_distance: bool) -> None:
    rng = np.random.default_rng(seed)
    groups = rng.permutation(np.repeat(range(4), 5))
    scores = np.where(groups[:, None] == groups, 0.8, 0.1) + rng.uniform(0, 0.1, (20, 20))
    order = cluster_order(1 - scores if is_distance else scores, is_distance=is_distance)

    assert sorted(order) == [*range(20)]
    assert np.count_nonzero(np.diff(groups[order])) == 3


def test_neighbours_are_as_alike_as_the_tree_allows() -> None:
    points = np.random.default_rng(1).normal(size=(40, 3))
    distances = np.linalg.norm(points[:, None] - points, axis=-1)
    order = cluster_order(distances, is_distance=True)

    condensed = squareform(distances, checks=False)
    best = optimal_leaf_ordering(linkage(condensed, "average"), condensed)
    wanted = leaves_list(best)
    assert np.isclose(
        distances[order[1:], order[:-1]].sum(), distances[wanted[1:], wanted[:-1]].sum(), rtol=1e-6
    )


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_items_stay_as_they_are(count: int) -> None:
    assert cluster_order(np.ones((count, count)), is_distance=False).tolist() == [*range(count)]


def test_failed_scores_are_the_least_alike() -> None:
    scores = np.array([[1, 0.2, np.nan, 0.9], [0.2, 1, 0.8, 0.3], [0.5, 0.8, 1, 0.2], [0.9, 0.3, 0.2, 1]])
    order = cluster_order(scores, is_distance=False).tolist()

    assert {*order[:2]} in ({0, 3}, {1, 2})

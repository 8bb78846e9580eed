"""HDBSCAN: clusters are groups that stay together over a wide range of densities.

Campello, Moulavi and Sander (2013), with `min_samples` 1: a text is its own neighbourhood, so the mutual
reachability of two texts is their distance, and the minimum spanning tree of the texts tells which groups
there are at each density. Clusters are selected by excess of mass, as in scikit-learn.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from simil.similarity import spanning_tree

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["NOISE", "hdbscan"]

NOISE = -1

_NO_LENGTH = 1e-300  # its inverse is still a number


def hdbscan(points: NDArray[np.floating[Any]], min_size: int) -> NDArray[np.int64]:
    """Return the cluster of each of `points` [n, d], int64 [n] from 0, -1 for none; n and `min_size` from 2.

    The clusters are those of scikit-learn's `HDBSCAN(min_cluster_size=min_size, min_samples=1)`. Only where
    distances tie, they can differ. Equal points have the same label; `min_size` of them are a cluster.
    """
    import numpy as np

    tree = _CondensedTree(len(points), min_size)
    for one, other, length in zip(*(ends.tolist() for ends in spanning_tree(points)), strict=True):
        tree.join(one, other, length)
    return np.array(tree.labels(), np.int64)


class _CondensedTree:
    """The groups that edges of a spanning tree make of points, shortest edge first.

    A group is a node: first the points, then what each edge joins. From `min_size` points on, a node belongs
    to a cluster, which lasts while smaller groups join it and ends where two clusters join: they are the
    parts of a new one.
    """

    def __init__(self, count: int, min_size: int) -> None:
        self._count = count
        self._min_size = min_size
        self._parents = list(range(2 * count - 1))  # the links of union-find
        self._children: list[tuple[int, int]] = []  # of the nodes that edges make
        self._sizes = [1] * count
        self._clusters: list[_Cluster | None] = [None] * count

    def join(self, one: int, other: int, length: float) -> None:
        """Join the groups of two points by the next edge."""
        nodes = self._root(one), self._root(other)
        node = len(self._sizes)
        self._parents[nodes[0]] = self._parents[nodes[1]] = node
        self._children.append(nodes)
        self._sizes.append(self._sizes[nodes[0]] + self._sizes[nodes[1]])
        self._clusters.append(self._cluster(node, nodes, length))

    def labels(self) -> list[int]:
        """Return the number of the selected cluster of each point, -1 for none."""
        top = self._clusters[-1]
        selected = [cluster.node for part in (top.parts if top else ()) for cluster in part.selected()]
        labels = [NOISE] * len(self._sizes)
        for number, node in enumerate(selected):
            labels[node] = number
        for node in range(len(labels) - 1, self._count - 1, -1):
            for child in self._children[node - self._count]:
                labels[child] = max(labels[child], labels[node])
        return labels[: self._count]

    def _cluster(self, node: int, nodes: tuple[int, int], length: float) -> _Cluster | None:
        """Return the cluster of a node that an edge of this length makes of two others."""
        size = self._sizes[node]
        if size < self._min_size:
            return None
        if not length > _NO_LENGTH:  # copies
            return _Cluster(node, float("inf"))
        density = 1 / length
        parts = [
            (cluster, self._sizes[child]) for child in nodes if (cluster := self._clusters[child]) is not None
        ]
        if len(parts) == 1:
            cluster, before = parts[0]
            cluster.node = node
            cluster.mass += density * (size - before)
            return cluster
        for cluster, before in parts:
            cluster.begin(density, before)
        return _Cluster(node, density * size, tuple(cluster for cluster, _ in parts))

    def _root(self, node: int) -> int:
        while self._parents[node] != node:
            self._parents[node] = node = self._parents[self._parents[node]]
        return node


class _Cluster:
    """A cluster of the condensed tree; `node` has all its points.

    `mass` is the sum of the densities at which its points leave it. Less the density at which it begins, for
    each point, it is its stability.
    """

    __slots__ = ("chosen", "mass", "node", "parts", "stability")

    def __init__(self, node: int, mass: float = 0.0, parts: tuple[_Cluster, ...] = ()) -> None:
        self.node = node
        self.mass = mass
        self.parts = parts
        self.stability = 0.0
        self.chosen = False

    def begin(self, density: float, size: int) -> None:
        """Choose this cluster or its parts, whichever are more stable, now that it is complete."""
        own, theirs = self.mass - density * size, sum(part.stability for part in self.parts)
        self.chosen = not theirs > own
        self.stability = own if self.chosen else theirs

    def selected(self) -> Iterator[_Cluster]:
        """Yield the chosen clusters that are in no other chosen one."""
        waiting = [self]
        while waiting:
            cluster = waiting.pop()
            if cluster.chosen:
                yield cluster
            else:
                waiting += cluster.parts

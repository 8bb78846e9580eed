"""The map of a corpus, as the commands draw it: clusters in colours, or the strange ones marked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from simil.cli.plots import check_plot, plot_map
from simil.tasks.projection import check_projection, project

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from simil.tasks.clustering import Clustering
    from simil.tasks.corpus import Corpus

__all__ = ["check_map", "plot_clusters", "plot_outliers"]


def check_map(path: str | None, projection: str) -> None:
    """Check, before any work is done, that a map can be drawn; see `check_plot` and `check_projection`."""
    if path is not None:
        check_plot(path)
        check_projection(projection)


def plot_clusters(path: str, projection: str, found: Clustering) -> None:
    """Draw the texts by cluster, each named by its words, the medoids with their texts."""
    flat = project(found.corpus.vectors, projection)
    plot_map(
        path,
        flat.points,
        _contents(found.corpus),
        # Clusters are counted from 1, -1 is none of them.
        [label - 1 if label > 0 else -1 for label in found.labels.tolist()],
        [" ".join(cluster.words[:3]) or str(cluster.number) for cluster in found.clusters],
        marked=[cluster.medoid for cluster in found.clusters],
        title="Clusters",
        model=found.corpus.model,
        method=f"{found.method}, {flat.method}",
    )


def plot_outliers(
    path: str,
    projection: str,
    corpus: Corpus,
    scores: NDArray[np.float32],
    marked: Sequence[int],
    method: str,
) -> None:
    """Draw the texts, the stranger the larger, the strangest with their texts."""
    flat = project(corpus.vectors, projection)
    plot_map(
        path,
        flat.points,
        _contents(corpus),
        scores=scores,
        marked=marked,
        title="Outliers",
        model=corpus.model,
        method=f"{method}, {flat.method}",
    )


def _contents(corpus: Corpus) -> list[str]:
    return [corpus.content(row) for row in range(len(corpus))]

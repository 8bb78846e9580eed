"""Projection of vectors to two dimensions, for plots."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

from simil.errors import ExtraMissing, UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["PROJECTIONS", "Projected", "check_projection", "project"]

PROJECTIONS = ("pca", "umap")

# UMAP's default, and the fewest points with meaningful neighbourhoods.
_NEIGHBOURS = 15
_FEWEST = 4
_SEED = 42


@dataclass(frozen=True, eq=False, slots=True)
class Projected:
    """Points, float32 [texts, 2], and the method in words, for a caption."""

    points: NDArray[np.float32]
    method: str


def check_projection(method: str) -> None:
    """Raise `UsageError` for an unknown method, `ExtraMissing` if UMAP is needed and not installed."""
    if method not in PROJECTIONS:
        raise UsageError(f"--projection cannot be {method!r}", hint=f"choose one of {', '.join(PROJECTIONS)}")
    if method == "umap" and find_spec("umap") is None:
        raise ExtraMissing("UMAP is not installed", extra="umap")


def project(vectors: NDArray[np.float32], method: str = "pca") -> Projected:
    """Return the projection of float32 [n, dimensions]; the same vectors always give the same points.

    "pca" uses the first two principal components, each with its sign chosen so that its largest coordinate is
    positive. "umap" keeps (cosine) neighbours together (McInnes et al., 2018): it shows groups better, but
    distances between groups mean little. Raises as `check_projection` does, and `UsageError` if UMAP gets
    fewer than four vectors.
    """
    check_projection(method)
    return _pca(vectors) if method == "pca" else _umap(vectors)


def _pca(vectors: NDArray[np.float32]) -> Projected:
    import numpy as np

    count, width = vectors.shape
    points = np.zeros((count, 2), np.float32)
    if count < 2 or width == 0:
        return Projected(points, "PCA")
    centred = vectors.astype(np.float64)
    centred -= centred.mean(axis=0)
    total = float(np.einsum("ij,ij->", centred, centred))
    # Both products have the same largest eigenvalues; take the smaller one.
    wide = width > count
    values, found = np.linalg.eigh(centred @ centred.T if wide else centred.T @ centred)
    values = np.maximum(values[::-1][:2], 0)
    # For equal vectors, all that is left is rounding, which is not a direction.
    values[values <= total * 1e-12] = 0
    axes = found[:, ::-1][:, :2]
    for column, value in enumerate(values):
        if value <= 0 or total <= np.finfo(np.float32).eps ** 2 * count:
            continue
        axis = centred.T @ axes[:, column] / np.sqrt(value) if wide else axes[:, column]
        axis = axis if axis[np.abs(axis).argmax()] > 0 else -axis
        points[:, column] = centred @ axis
    share = float(values.sum()) / total if total else 0.0
    return Projected(points, f"PCA ({share:.0%} of the variance)")


def _umap(vectors: NDArray[np.float32]) -> Projected:
    import numpy as np

    count = len(vectors)
    if count < _FEWEST:
        raise UsageError(f"UMAP needs at least {_FEWEST} texts", hint="use --projection pca")
    neighbours = min(_NEIGHBOURS, count - 1)
    with warnings.catch_warnings():
        # Warnings about the cost of a fixed seed and about equal points, which a user cannot change.
        warnings.simplefilter("ignore")
        from umap import UMAP

        reducer = UMAP(
            n_neighbors=neighbours,
            metric="cosine",
            random_state=_SEED,
            n_jobs=1,
            # Spectral initialization needs more points than dimensions.
            init="spectral" if count > _NEIGHBOURS else "random",
        )
        points = np.asarray(reducer.fit_transform(vectors), np.float32)
    return Projected(np.nan_to_num(points), f"UMAP ({neighbours} neighbours)")

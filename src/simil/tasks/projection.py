"""Vectors brought to two dimensions, to be drawn."""

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

# UMAP's own default, and the fewest points that its neighbourhoods say anything about.
_NEIGHBOURS = 15
_FEWEST = 4
_SEED = 42


@dataclass(frozen=True, eq=False, slots=True)
class Projected:
    """Points, float32 [texts, 2], and how they came about, for a caption."""

    points: NDArray[np.float32]
    method: str


def check_projection(method: str) -> None:
    """Check that `project` knows a method; imports nothing.

    Raises `UsageError` for one that it does not know, `ExtraMissing` where UMAP is not installed.
    """
    if method not in PROJECTIONS:
        raise UsageError(f"--projection cannot be {method!r}", hint=f"choose one of {', '.join(PROJECTIONS)}")
    if method == "umap" and find_spec("umap") is None:
        raise ExtraMissing("UMAP is not installed", hint="run: pip install 'simil-cli[umap]'")


def project(vectors: NDArray[np.float32], method: str = "pca") -> Projected:
    """Return float32 [n, dimensions] in two dimensions; the same vectors always give the same points.

    "pca" takes the two directions in which the vectors differ most, each pointing to where its largest
    part is positive. "umap" keeps near (by cosine) what is near (McInnes et al., 2018): it shows groups
    better, and distances between them say little. Raises what `check_projection` raises, and `UsageError`
    where UMAP gets fewer than four vectors.
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
    # The smaller of the two products has the same largest eigenvalues.
    wide = width > count
    values, found = np.linalg.eigh(centred @ centred.T if wide else centred.T @ centred)
    values = np.maximum(values[::-1][:2], 0)
    # What rounding leaves of vectors that are all the same is no direction.
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
        # Of what a fixed seed costs, and of points that are all alike: nothing that a user could change.
        warnings.simplefilter("ignore")
        from umap import UMAP

        reducer = UMAP(
            n_neighbors=neighbours,
            metric="cosine",
            random_state=_SEED,
            n_jobs=1,
            # The spectral start needs more points than the dimensions that it looks for.
            init="spectral" if count > _NEIGHBOURS else "random",
        )
        points = np.asarray(reducer.fit_transform(vectors), np.float32)
    return Projected(np.nan_to_num(points), f"UMAP ({neighbours} neighbours)")

"""Principal components: the directions in which vectors differ most."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simil.blas import use_all_cores
from simil.similarity.normalization import as_rows, rows_in_block

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

__all__ = ["principal_components"]

_SEED = 0
_WIDE = 1024  # dimensions from which on all eigenvectors take longer than the few that are wanted
_SPARE, _ROUNDS = 10, 7  # more directions than wanted, and steps, for a subspace that is exact enough


def principal_components(vectors: Floats, count: int) -> tuple[NDArray[np.float64], float]:
    """Return the coordinates of `vectors` [n, d] along their first `count` principal components.

    Float64 [n, count], and the share of the variance that they hold. There must be fewer components than
    dimensions. In more than 1,024 dimensions, the components are those of subspace iteration (Halko,
    Martinsson and Tropp 2011). Memory is bounded by the vectors and their covariance.
    """
    import numpy as np

    rows = as_rows(vectors)
    mean = rows.mean(axis=0, dtype=np.float64)
    use_all_cores(rows.size * rows.shape[1])
    covariance = np.zeros((rows.shape[1], rows.shape[1]))
    blocks = [slice(start, start + _block(rows)) for start in range(0, len(rows), _block(rows))]
    for part in blocks:
        block = rows[part] - mean
        covariance += block.T @ block
    axes = _axes(covariance, count)
    points = np.empty((len(rows), count))
    for part in blocks:
        points[part] = (rows[part] - mean) @ axes
    total = float(np.trace(covariance))
    return points, float(np.einsum("ij,ij->", points, points)) / total if total else 0.0


def _axes(covariance: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Return the eigenvectors of the largest eigenvalues, [d, count]."""
    import numpy as np

    if len(covariance) <= _WIDE:
        return np.linalg.eigh(covariance)[1][:, ::-1][:, :count].copy()
    found = np.random.default_rng(_SEED).standard_normal((len(covariance), count + _SPARE))
    for _ in range(_ROUNDS):
        found = np.linalg.qr(covariance @ found)[0]
    turned = np.linalg.eigh(found.T @ covariance @ found)[1][:, ::-1]
    axes: NDArray[np.float64] = found @ turned[:, :count]
    return axes


def _block(rows: Floats) -> int:
    return 8 * rows_in_block(rows.shape[1])

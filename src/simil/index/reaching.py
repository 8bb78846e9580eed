"""All rows of a dataset that reach a threshold: every vector is read, whatever indexes there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simil import similarity
from simil.blas import use_all_cores

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from simil.vectors.stored_vectors import StoredVectors

__all__ = ["reaching"]


def reaching(
    stored: StoredVectors, queries: NDArray[np.float32], threshold: float, *, where: str | None = None
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.uint64], NDArray[np.float32]]]:
    """Yield all pairs of a row of `queries` [q, d] and of a dataset whose cosine is at least `threshold`.

    Yields three arrays of equal length: numbers of queries int64, row ids uint64, and scores float32, which
    are those of `similarity.matches_above`. Queries of fewer dimensions than the vectors, and `where`, are as
    in `nearest`. An index gives the best rows, not all of those that reach a score, so none is used. Raises
    `InputError` for a vector without direction.
    """
    dimensions = queries.shape[1]
    use_all_cores(queries.size * stored.rows)
    for row_ids, block in stored.blocks(where=where):
        rows = stored.of_length_one(row_ids, block[:, :dimensions])
        for asked, found, scores in similarity.matches_above(queries, rows, threshold):
            yield asked, row_ids[found], scores

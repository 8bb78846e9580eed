"""How near vectors are: unit length, pairs, matrices, nearest neighbours. NumPy only, memory bounded.

Vectors are rows of a two-dimensional array, float32 unless said otherwise; values must be finite.
Results are float32; one beyond the range of float32 is infinite. Every function raises `InputError`
when shapes do not fit.
"""

from simil.similarity.nearest import top_k
from simil.similarity.normalization import unit, unit_or_zero, weighted_mean
from simil.similarity.pairwise import Metric, matrix, matrix_blocks, pairwise
from simil.similarity.similarity_join import matches_above, pairs_above, representatives

__all__ = [
    "Metric",
    "matches_above",
    "matrix",
    "matrix_blocks",
    "pairs_above",
    "pairwise",
    "representatives",
    "top_k",
    "unit",
    "unit_or_zero",
    "weighted_mean",
]

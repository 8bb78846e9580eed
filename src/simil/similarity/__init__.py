"""Similarity of vectors: normalization, pairwise scores, nearest neighbours, similarity joins,
principal components, spanning trees.

NumPy only, in bounded memory. Vectors are rows of a two-dimensional array, float32 unless stated otherwise;
values must be finite. Results are float32; one beyond its range is infinite. Every function raises
`InputError` if shapes do not fit.
"""

from simil.similarity.copies import count_different, first_equal
from simil.similarity.exact_search import top_k, top_k_of_blocks
from simil.similarity.normalization import of_length_one, unit, unit_or_zero, weighted_mean
from simil.similarity.pairwise import Metric, matrix, matrix_blocks, pairwise
from simil.similarity.principal_components import principal_components
from simil.similarity.products import products_by_pair
from simil.similarity.similarity_join import matches_above, pairs_above, representatives
from simil.similarity.spanning_tree import spanning_tree
from simil.similarity.thresholds import DECIMALS, as_printed, lowest_score

__all__ = [
    "DECIMALS",
    "Metric",
    "as_printed",
    "count_different",
    "first_equal",
    "lowest_score",
    "matches_above",
    "matrix",
    "matrix_blocks",
    "of_length_one",
    "pairs_above",
    "pairwise",
    "principal_components",
    "products_by_pair",
    "representatives",
    "spanning_tree",
    "top_k",
    "top_k_of_blocks",
    "unit",
    "unit_or_zero",
    "weighted_mean",
]

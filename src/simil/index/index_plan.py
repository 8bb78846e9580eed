"""Which vector index a dataset gets: its kind, and sizes that go with the number of rows and dimensions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import isqrt

from simil.errors import UsageError

__all__ = ["FEWEST_ROWS", "IndexKind", "IndexPlan", "default_kind", "plan_index"]

FEWEST_ROWS = 256  # product quantization learns that many codes for each part of a vector
_PARTITION = 4096  # rows of a partition, as long as there are not too many partitions
_GRAPH_PARTITION = 1 << 20  # a graph is searched in steps, so it pays to have few
_RQ_DIMENSIONS = 8  # of which RaBitQ takes any multiple
_CODE = 8  # dimensions that product quantization makes a byte
# Rows per centroid that k-means learns from: a quarter of Lance's default, in a quarter of the time;
# faiss holds 39 to be enough.
_SAMPLE = 64
_SAMPLE_BYTES = 512 << 20


class IndexKind(StrEnum):
    """How vectors are kept in an index; each finds the partitions near a query first (IVF)."""

    IVF_PQ = "ivf-pq"
    IVF_HNSW_SQ = "ivf-hnsw-sq"
    IVF_RQ = "ivf-rq"

    @property
    def in_lance(self) -> str:
        """Its name in Lance."""
        return self.value.upper().replace("-", "_")


@dataclass(frozen=True, slots=True)
class IndexPlan:
    """A vector index that is to be built.

    Attributes:
        kind: its kind.
        rows: how many rows there are.
        dimensions: the length of a vector.
        partitions: how many partitions it has.
        sample_rate: rows per centroid that k-means learns from.
        settings: what else Lance's `create_index` takes for the kind.
        code: how a vector is kept, in words.
    """

    kind: IndexKind
    rows: int
    dimensions: int
    partitions: int
    sample_rate: int
    settings: Mapping[str, int]
    code: str

    def __str__(self) -> str:
        return (
            f"{self.kind.in_lance} on {self.rows:,} vectors of {self.dimensions} dimensions: "
            f"{self.partitions:,} partition{'' if self.partitions == 1 else 's'}, {self.code}"
        )


def default_kind(dimensions: int) -> IndexKind:
    """Return the kind for vectors of so many dimensions: the quickest to build, where it takes them."""
    return IndexKind.IVF_PQ if dimensions % _RQ_DIMENSIONS else IndexKind.IVF_RQ


def plan_index(kind: IndexKind, rows: int, dimensions: int) -> IndexPlan | None:
    """Return the sizes of an index; None for fewer rows than it can learn from.

    Raises `UsageError` for dimensions that the kind does not take.
    """
    if rows < FEWEST_ROWS:
        return None
    size = _GRAPH_PARTITION if kind is IndexKind.IVF_HNSW_SQ else _PARTITION
    # Beyond some millions of rows partitions grow too, since training takes as long as their number squared.
    partitions = max(1, min(rows // size, isqrt(rows) // 2))
    sample = max(2, min(_SAMPLE, _SAMPLE_BYTES // (4 * dimensions * partitions)))
    settings, code = _code(kind, dimensions)
    return IndexPlan(kind, rows, dimensions, partitions, sample, settings, code)


def _code(kind: IndexKind, dimensions: int) -> tuple[Mapping[str, int], str]:
    """Return the settings of a kind, and how it keeps a vector."""
    if kind is IndexKind.IVF_PQ:
        parts = _parts(dimensions)
        return {"num_sub_vectors": parts}, f"{parts} byte{'' if parts == 1 else 's'} per vector"
    if kind is IndexKind.IVF_HNSW_SQ:
        return {}, "a byte per dimension, in a graph"
    if dimensions % _RQ_DIMENSIONS:
        raise UsageError(
            f"--kind {kind} takes a multiple of {_RQ_DIMENSIONS} dimensions, and the vectors have "
            f"{dimensions}",
            hint=f"pass --kind {IndexKind.IVF_PQ}",
        )
    return {"num_bits": 1}, "a bit per dimension"


def _parts(dimensions: int) -> int:
    """Return into how many parts of equal length a vector is cut: of 8 dimensions, or a few less."""
    width = next(width for width in range(min(_CODE, dimensions), 0, -1) if dimensions % width == 0)
    return dimensions // width

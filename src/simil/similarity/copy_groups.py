"""Rows in groups of equal ones, where many are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from simil.similarity.copies import count_different, first_equal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

__all__ = ["CopyGroups"]

_SAMPLE, _MANY = 1024, 0.8  # there are many copies if fewer rows than this share of a sample differ


@dataclass(frozen=True, eq=False, slots=True)
class CopyGroups:
    """Groups of equal rows: the first row of each, int64 [groups], ascending, and the group of each row."""

    firsts: NDArray[np.int64]
    groups: NDArray[np.int64]

    @classmethod
    def of(cls, rows: Floats) -> CopyGroups | None:
        """Return the groups of `rows` [n, d]; None if a sample of them shows few copies."""
        import numpy as np

        sample = rows[:: max(1, len(rows) // _SAMPLE)]
        if count_different(sample, len(sample)) > _MANY * len(sample):
            return None
        firsts, groups = np.unique(first_equal(rows), return_inverse=True)
        return cls(firsts, groups)

    @property
    def sizes(self) -> NDArray[np.int64]:
        """The number of rows of each group."""
        import numpy as np

        return np.bincount(self.groups)

    def by_group(self) -> NDArray[np.int64]:
        """Return all rows, those of the first group first, each group's in ascending order."""
        import numpy as np

        return np.argsort(self.groups, kind="stable")

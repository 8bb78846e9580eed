"""What a task costs that compares every text with every other, and where that ends."""

from __future__ import annotations

from simil.blas import cores
from simil.errors import UsageError
from simil.tasks.corpus import Searchable
from simil.tasks.stored_corpus import CorpusInBlocks

__all__ = ["check_passes"]

_PER_SECOND = 20e9  # products of numbers on one core, with what is done about each score
_PER_SCORE = 32  # what a score takes, in products
_MOST_SECONDS = 3600.0


def check_passes(count: int, right: Searchable, dimensions: int) -> None:
    """Raise `UsageError` if comparing so many texts with all of `right` would take over an hour."""
    work = count * len(right) * (dimensions + _PER_SCORE)
    seconds = work / (_PER_SECOND * cores())
    if seconds > _MOST_SECONDS and not (isinstance(right, CorpusInBlocks) and right.has_index):
        raise UsageError(
            f"comparing {count:,} texts with {len(right):,}, each with each, takes about "
            f"{seconds / 3600:,.0f} hours",
            hint="build an index for candidates: simil index FILE.lance",
        )

"""Matches of two files of which one or both are larger than memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simil.errors import UsageError
from simil.tasks.exact_passes import check_passes
from simil.tasks.matching import Matches, assigned, equal_matches, lowest_match, nothing_found
from simil.tasks.stored_corpus import CorpusInBlocks, rows_at_once
from simil.usable_memory import readable_size, usable_memory

if TYPE_CHECKING:
    import numpy as np

__all__ = ["stored_matches", "stored_one_to_one"]

# Of a row: the scores, rows and keys of each of its nearest, and of those kept in case of rounding.
_PER_NEIGHBOUR, _SPARE = 64, 17
# What a pair takes while an assignment is found, and how many there may be.
_PER_PAIR, _MOST_PAIRS = 100, 1 << 24
_FEWEST_CANDIDATES = 32


def stored_matches(
    left: CorpusInBlocks, right: CorpusInBlocks, *, k: int = 1, threshold: float | None = None
) -> Matches:
    """Return what `match` does; by the candidates of an index of `right` where there is one.

    Raises `UsageError` where comparing all of them takes too long.
    """
    import numpy as np

    check_passes(len(left), right, left.dimensions)
    limit = lowest_match(threshold)
    miss: tuple[int, int, np.float32] | None = None
    equal = equal_matches(left.corpus, right.corpus, k, threshold)
    parts = [(equal.left, equal.right, equal.scores)]
    step = rows_at_once(4 * left.dimensions + _PER_NEIGHBOUR * (k + _SPARE))
    for first, block in left.blocks(step, "matching"):
        rows = left.known_rows(first, len(block))
        scores, nearest = right.nearest(block[rows], k)
        if not scores.size:
            continue
        np.clip(scores, -1, 1, out=scores)
        best = int(scores[:, 0].argmax())
        if miss is None or scores[best, 0] > miss[2]:
            miss = (first + int(rows[best]), int(nearest[best, 0]), scores[best, 0])
        which, place = np.nonzero(scores >= limit)
        parts.append((first + rows[which], nearest[which, place], scores[which, place]))
    lefts, rights, every = (np.concatenate(column) for column in zip(*parts, strict=True))
    if not len(lefts):
        return nothing_found(miss)
    order = np.argsort(lefts, kind="stable")
    return Matches(lefts[order], rights[order], every[order])


def stored_one_to_one(
    left: CorpusInBlocks, right: CorpusInBlocks, *, threshold: float | None = None
) -> tuple[Matches, int | None]:
    """Return what `match_one_to_one` does, and how many candidates each text had where more were needed.

    If the smaller side has n texts, the n nearest of each are enough: None of the others can be better than
    all of these, of which n - 1 at most belong to other texts. Raises `UsageError` where there is no memory
    for a few candidates of each.
    """
    import numpy as np

    turned = len(left) > len(right)
    few, many = (right, left) if turned else (left, right)
    count = _candidates(len(few))
    found = stored_matches(few, many, k=count)
    if not len(found):
        return found, None
    best = int(found.scores.argmax())
    miss = (int(found.left[best]), int(found.right[best]), found.scores[best])
    limit = lowest_match(threshold)
    allowed = found.scores >= limit
    rows, columns, scores = found.left[allowed], found.right[allowed], found.scores[allowed]
    # As in memory: without a threshold as many pairs as can be, with one the best sum.
    none = 4.0 * len(few) if threshold is None else max(0.0, float(-limit))
    chosen = assigned(rows, columns, -scores.astype(np.float64), none)
    rows, columns, scores = rows[chosen], columns[chosen], scores[chosen]
    if turned:
        rows, columns, miss = columns, rows, (miss[1], miss[0], miss[2])
    cut = count if count < min(len(few), len(many)) else None
    if not len(rows):
        return nothing_found(miss), cut
    order = np.argsort(rows)
    return Matches(rows[order], columns[order], scores[order]), cut


def _candidates(rows: int) -> int:
    """Return how many candidates each of so many rows can have."""
    usable = usable_memory()
    pairs = _MOST_PAIRS if usable is None else min(usable // _PER_PAIR, _MOST_PAIRS)
    count = min(rows, pairs // max(rows, 1))
    if count < min(rows, _FEWEST_CANDIDATES):
        raise UsageError(
            f"matching {rows:,} rows one to one takes {readable_size(_PER_PAIR * rows * _FEWEST_CANDIDATES)} "
            f"with {_FEWEST_CANDIDATES} candidates of each, and {readable_size(usable or 0)} can be used",
            hint="match parts of them, or leave out --one-to-one",
        )
    return max(count, 1)

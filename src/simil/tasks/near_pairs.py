"""Pairs of near rows of a dataset: all of them, or those among the candidates of its index."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simil import similarity
from simil.errors import UsageError
from simil.tasks.stored_corpus import CorpusInBlocks, rows_at_once
from simil.usable_memory import readable_size, usable_memory

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "Copies",
    "NearPairs",
    "all_pairs",
    "candidate_pairs",
    "candidate_pairs_with_copies",
    "copies_of",
]

# How many of the nearest rows are candidates: more for rows of which all are near.
_CANDIDATES = (32, 256, 2048)
_SEED = 0
# Of a query: its vector, and the scores, rows and keys of its candidates.
_PER_CANDIDATE = 64
_PER_PAIR = 100  # what a pair takes while groups are made of them


@dataclass(frozen=True, eq=False, slots=True)
class Copies:
    """Rows with equal vectors.

    `firsts` int64 [n] are the first rows with the vector of each, `scores` float32 [n] those of each with
    itself. A row whose score with itself does not reach the threshold counts as no copy.
    """

    firsts: NDArray[np.int64]
    scores: NDArray[np.float32]


@dataclass(frozen=True, eq=False, slots=True)
class NearPairs:
    """Rows i < j, int64, and their scores, float32; each pair is there once.

    `crowded` is how many rows have more near ones than there are candidates.
    """

    i: NDArray[np.int64]
    j: NDArray[np.int64]
    scores: NDArray[np.float32]
    crowded: int


def copies_of(corpus: CorpusInBlocks, limit: np.float32) -> Copies:
    """Return which rows have the vector of an earlier one; copies score at least `limit`."""
    import numpy as np

    draw = np.random.default_rng(_SEED)
    odd = draw.integers(0, 1 << 63, (2, corpus.dimensions), np.uint64) * np.uint64(2) + np.uint64(1)
    keys = np.empty((len(corpus), 2), np.uint64)
    scores = np.empty(len(corpus), np.float32)
    for first, block in corpus.read():
        rows = slice(first, first + len(block))
        # 128 bits by multilinear hashing; -0 becomes 0: they are equal.
        bits = (block + np.float32(0)).view(np.uint32).astype(np.uint64)
        keys[rows] = np.stack([(bits * factors).sum(axis=1) for factors in odd], axis=1)
        scores[rows] = np.einsum("ij,ij->i", block, block, dtype=np.float64)
    order = np.lexsort((keys[:, 1], keys[:, 0]))
    new = np.ones(len(order), np.bool_)
    new[1:] = (keys[order[1:]] != keys[order[:-1]]).any(axis=1)
    # The sort is stable, so the first of each group is the first of its rows.
    firsts = np.empty(len(order), np.int64)
    firsts[order] = order[new][np.cumsum(new) - 1]
    alone = scores < limit
    firsts[alone] = np.flatnonzero(alone)
    return Copies(firsts, scores)


def candidate_pairs(corpus: CorpusInBlocks, copies: Copies, limit: np.float32) -> NearPairs:
    """Return the pairs of rows that score at least `limit` among the nearest candidates of each.

    They are of different vectors, and each row is the first with its vector. Where all candidates of a row
    are near it, it gets more.
    """
    import numpy as np

    found: list[NDArray[np.int64]] = []
    scores: list[NDArray[np.float32]] = []
    waiting = np.flatnonzero(copies.firsts == np.arange(len(corpus)))
    for count in _CANDIDATES:
        left: list[NDArray[np.int64]] = []
        step = rows_at_once(4 * corpus.dimensions + _PER_CANDIDATE * count)
        with corpus.progress("comparing", total=len(waiting), unit="texts") as advance:
            for start in range(0, len(waiting), step):
                rows = waiting[start : start + step]
                best, nearest = corpus.nearest(corpus.vectors_of(rows), count + 1)
                near = best >= limit
                crowded = near.all(axis=1) & (best.shape[1] < len(corpus))
                if count < _CANDIDATES[-1]:
                    near[crowded] = False
                left.append(rows[crowded])
                which, place = np.nonzero(near)
                pairs = np.stack([rows[which], copies.firsts[nearest[which, place]]])
                different = pairs[0] != pairs[1]
                found.append(np.sort(pairs[:, different], axis=0))
                scores.append(best[which, place][different])
                advance(len(rows))
        waiting = np.concatenate([np.empty(0, np.int64), *left])
    pairs = np.concatenate([np.empty((2, 0), np.int64), *found], axis=1)
    # As a key, a pair is one number; a dataset has fewer than 2**31 rows.
    _, once = np.unique(pairs[0] * np.int64(len(corpus)) + pairs[1], return_index=True)
    every = np.concatenate([np.empty(0, np.float32), *scores])
    return NearPairs(pairs[0][once], pairs[1][once], every[once], len(waiting))


def candidate_pairs_with_copies(corpus: CorpusInBlocks, threshold: float) -> NearPairs:
    """Return the pairs of rows that reach a threshold among the candidates of each, and of all their copies.

    Raises `UsageError` if they are too many for the memory.
    """
    import numpy as np

    limit = similarity.lowest_score(threshold)
    copies = copies_of(corpus, limit)
    found = candidate_pairs(corpus, copies, limit)
    own = np.flatnonzero(np.bincount(copies.firsts, minlength=len(corpus)) > 1)
    i, j = np.concatenate([found.i, own]), np.concatenate([found.j, own])
    scores = np.concatenate([found.scores, copies.scores[own]])
    members = np.argsort(copies.firsts, kind="stable")
    starts = np.searchsorted(copies.firsts[members], np.arange(len(corpus) + 1))
    sizes = np.diff(starts)
    counts = sizes[i] * sizes[j]
    _check_pairs(int(counts.sum()), threshold)
    pair = np.repeat(np.arange(len(i)), counts)
    one, other = np.divmod(
        np.arange(len(pair)) - np.repeat(np.cumsum(counts) - counts, counts), sizes[j][pair]
    )
    rows = np.stack([members[starts[i][pair] + one], members[starts[j][pair] + other]])
    # A row is no copy of itself, and each pair of copies is there twice.
    once = (i != j)[pair] | (one < other)
    rows = np.sort(rows[:, once], axis=0)
    return NearPairs(rows[0], rows[1], scores[pair][once], found.crowded)


def all_pairs(corpus: CorpusInBlocks, threshold: float) -> NearPairs:
    """Return all pairs of rows that reach a threshold; `UsageError` if they are too many for the memory."""
    import numpy as np

    parts = [(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32))]
    count = 0
    for start, vectors in corpus.blocks(rows_at_once(4 * corpus.dimensions), "comparing"):
        for i, j, scores in _pairs_of_block(corpus, start, vectors, threshold):
            count += len(i)
            _check_pairs(count, threshold)
            parts.append((i, j, scores))
    i, j, scores = (np.concatenate(column) for column in zip(*parts, strict=True))
    return NearPairs(i, j, scores, 0)


def _pairs_of_block(
    corpus: CorpusInBlocks, start: int, vectors: NDArray[np.float32], threshold: float
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]]:
    """Yield the pairs of the rows from `start` on with each other, and with those before."""
    if start:
        for first, earlier in corpus.read(start):
            for i, j, scores in similarity.matches_above(earlier, vectors, threshold):
                yield i + first, j + start, scores
    for i, j, scores in similarity.pairs_above(vectors, threshold):
        yield i + start, j + start, scores


def _check_pairs(count: int, threshold: float) -> None:
    usable = usable_memory()
    if usable is not None and count * _PER_PAIR > usable:
        raise UsageError(
            f"more than {usable // _PER_PAIR:,} pairs of texts score at least {threshold:g}, which is what "
            f"{readable_size(usable)} of memory take",
            hint="pass a higher --threshold",
        )

"""Deduplication of a dataset that is larger than memory: block by block, or by candidates of its index."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from simil import similarity
from simil.similarity.similarity_join import Representatives, join_nearest, representatives_of_pairs
from simil.tasks.corpus import Searchable
from simil.tasks.deduplication import Duplicates
from simil.tasks.exact_passes import check_passes
from simil.tasks.near_pairs import Copies, candidate_pairs, copies_of
from simil.tasks.stored_corpus import CorpusInBlocks, rows_at_once

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["stored_duplicates"]

_BLOCK = 1024  # rows compared with as many at a time


def stored_duplicates(
    corpus: CorpusInBlocks, threshold: float, reference: Searchable | None = None
) -> tuple[Duplicates, int]:
    """Return what `near_duplicates` does, and how many rows have more near ones than were compared with them.

    Without an index, that is exactly what it returns, and no row; with one, among the candidates of each
    row. Raises `UsageError` where that takes too long.
    """
    import numpy as np

    check_passes(len(corpus), corpus, corpus.dimensions)
    owners, scores = np.arange(len(corpus)), np.ones(len(corpus), np.float32)
    in_reference = np.zeros(len(corpus), np.bool_)
    if reference is not None and len(reference):
        check_passes(len(corpus), reference, corpus.dimensions)
        step = rows_at_once(4 * corpus.dimensions + 1024)
        for first, block in corpus.blocks(step, "comparing with the reference"):
            best, nearest = reference.nearest(block, 1)
            reached = np.flatnonzero(similarity.Metric.COSINE.reaches(best[:, 0], threshold))
            owners[first + reached], scores[first + reached] = nearest[reached, 0], best[reached, 0]
            in_reference[first + reached] = True
    free, crowded = ~in_reference, 0
    if corpus.has_index:
        own, near_scores, crowded = _by_candidates(corpus, free, threshold)
    else:
        own, near_scores = _by_all(corpus, free, threshold)
    owners[free], scores[free] = own, near_scores
    texts = reference.texts if reference is not None else []
    found = Duplicates(corpus.corpus.texts, owners, scores, in_reference, texts, corpus.corpus.saved)
    return found, crowded


def _by_all(
    corpus: CorpusInBlocks, free: NDArray[np.bool_], threshold: float
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the representatives of the `free` rows and their scores, every row compared with all kept."""
    import numpy as np

    rows = np.flatnonzero(free)
    found = Representatives(len(rows), threshold)
    kept = np.zeros(len(rows), np.bool_)
    step = rows_at_once(4 * corpus.dimensions)
    with corpus.progress("comparing", total=len(rows), unit="texts") as advance:
        for start in range(0, len(rows), step):
            vectors = corpus.vectors_of(rows[start : start + step])
            for earlier, others in _kept_before(corpus, free, kept, start, rows):
                for first, block in _parts(vectors):
                    found.begin(block, start + first)
                    found.compare(earlier, others)
            for first, block in _parts(vectors):
                found.begin(block, start + first)
                own = np.flatnonzero(kept[start : start + first])
                for top in range(0, len(own), _BLOCK):
                    found.compare(start + own[top : top + _BLOCK], vectors[own[top : top + _BLOCK]])
                kept[found.finish()] = True
            advance(len(vectors))
    return rows[found.owners], found.scores


def _kept_before(
    corpus: CorpusInBlocks,
    free: NDArray[np.bool_],
    kept: NDArray[np.bool_],
    stop: int,
    rows: NDArray[np.int64],
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """Yield the places among the free `rows`, and the vectors, of those before place `stop` that are kept."""
    import numpy as np

    if not stop:
        return
    first_place = 0
    for first, block in corpus.read(int(rows[stop - 1]) + 1):
        among = np.flatnonzero(free[first : first + len(block)])
        places = np.arange(first_place, first_place + len(among))
        first_place += len(among)
        own = kept[places]
        for top, part in _parts(block[among[own]]):
            yield places[own][top : top + _BLOCK], part


def _parts(vectors: NDArray[np.float32]) -> Iterator[tuple[int, NDArray[np.float32]]]:
    for top in range(0, len(vectors), _BLOCK):
        yield top, vectors[top : top + _BLOCK]


def _by_candidates(
    corpus: CorpusInBlocks, free: NDArray[np.bool_], threshold: float
) -> tuple[NDArray[np.int64], NDArray[np.float32], int]:
    """Return the representatives of the `free` rows by candidates; also how many rows have too many."""
    import numpy as np

    limit = similarity.lowest_score(threshold)
    copies = copies_of(corpus, limit)
    pairs = candidate_pairs(corpus, copies, limit)
    # Copies are free together: the reference is as near to each.
    firsts = np.flatnonzero(free & (copies.firsts == np.arange(len(corpus))))
    place = np.full(len(corpus), -1)
    place[firsts] = np.arange(len(firsts))
    among = free[pairs.i] & free[pairs.j]
    i, j, scores = pairs.i[among], pairs.j[among], pairs.scores[among]
    found, found_scores = representatives_of_pairs(len(firsts), place[i], place[j], scores)
    owners, best = np.arange(len(corpus)), np.full(len(corpus), -np.inf, np.float32)
    owners[firsts], best[firsts] = firsts[found], found_scores
    kept = np.zeros(len(corpus), np.bool_)
    kept[firsts[found == np.arange(len(firsts))]] = True
    again = np.flatnonzero(free & (copies.firsts != np.arange(len(corpus))))
    of_kept = again[kept[copies.firsts[again]]]
    owners[of_kept], best[of_kept] = copies.firsts[of_kept], copies.scores[of_kept]
    for rows, others, near in ((i, j, scores), (j, i, scores)):
        asked = kept[rows] & ~kept[others]
        rows, joining, near = _with_copies(rows[asked], others[asked], near[asked], copies, again)  # noqa: PLW2901
        join_nearest(rows, joining, near, owners, best)
    return owners[free], best[free], pairs.crowded


def _with_copies(
    rows: NDArray[np.int64],
    others: NDArray[np.int64],
    scores: NDArray[np.float32],
    copies: Copies,
    again: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Return the pairs of `rows` and the copies, among the rows `again`, of `others` that come after them."""
    import numpy as np

    grouped = again[np.argsort(copies.firsts[again], kind="stable")]
    owners = copies.firsts[grouped]
    start = np.searchsorted(owners, others)
    counts = np.searchsorted(owners, others, side="right") - start
    pair = np.repeat(np.arange(len(rows)), counts)
    place = np.arange(len(pair)) - np.repeat(np.cumsum(counts) - counts, counts) + start[pair]
    joining = grouped[place]
    after = joining > rows[pair]
    return rows[pair][after], joining[after], scores[pair][after]

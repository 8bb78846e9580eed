"""Retrieval: the texts nearest to a query."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from simil import similarity
from simil.errors import ModelMismatch
from simil.tasks.corpus import Corpus
from simil.texts import Text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "TOP_K",
    "JointRanks",
    "SearchBy",
    "SearchResult",
    "Surroundings",
    "search",
    "surrounding_lines",
    "surrounding_parts",
]

TOP_K = 10


class SearchBy(StrEnum):
    """What texts are found by, and so what their scores are.

    The cosine of vectors, BM25, or the sum of reciprocal ranks by both.
    """

    MEANING = "meaning"
    WORDS = "words"
    HYBRID = "hybrid"


@dataclass(frozen=True, eq=False, slots=True)
class JointRanks:
    """How the results of a hybrid search stand in each of its two rankings.

    `cosines` and `bm25` float32 [n] are their scores, `cosine_ranks` and `bm25_ranks` int64 [n] their ranks
    from 1, and 0 for a result that was no candidate by meaning, or by words.
    """

    cosines: NDArray[np.float32]
    cosine_ranks: NDArray[np.int64]
    bm25: NDArray[np.float32]
    bm25_ranks: NDArray[np.int64]

    def taken(self, places: NDArray[np.int64]) -> JointRanks:
        """Return those of the results at `places`, in this order."""
        return JointRanks(*(getattr(self, field.name)[places] for field in fields(self)))


@dataclass(frozen=True, eq=False, slots=True)
class SearchResult:
    """The results of one query: rows of the corpus int64 [n], best first, and their scores float32 [n].

    `by` says what the scores are. `nearest` and `nearest_score` are the best row of all, even if it is below
    the threshold; -1 and 0 where no text has a word of the query. `joint` are the two rankings of a hybrid
    search. Where a cross-encoder has ordered the rows, `rerank_scores` float32 [n] are what it says of them,
    and `scores` are still those of the search.
    """

    query: str
    rows: NDArray[np.int64]
    scores: NDArray[np.float32]
    nearest: int
    nearest_score: np.float32
    rerank_scores: NDArray[np.float32] | None = None
    by: SearchBy = SearchBy.MEANING
    joint: JointRanks | None = None

    def taken(self, places: NDArray[np.int64]) -> SearchResult:
        """Return the result with its rows at `places` only, in this order."""
        reranked = self.rerank_scores
        return replace(
            self,
            rows=self.rows[places],
            scores=self.scores[places],
            rerank_scores=None if reranked is None else reranked[places],
            joint=None if self.joint is None else self.joint.taken(places),
        )

    @property
    def order_scores(self) -> NDArray[np.float32]:
        """The scores that the rows are ordered by."""
        return self.scores if self.rerank_scores is None else self.rerank_scores


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What stands before and after a text in its file: line numbers and texts, empty for blank lines."""

    before: Sequence[tuple[int, str]]
    after: Sequence[tuple[int, str]]


def search(
    queries: Corpus, corpus: Corpus, *, top_k: int | None = None, threshold: float | None = None
) -> list[SearchResult]:
    """Return the rows of `corpus` with the largest cosine similarity to each query, ties in order.

    At most `top_k` rows: by default 10, or with a threshold all that reach it. Returns no results for an
    empty corpus. Raises `ModelMismatch` for vectors of different dimensions.
    """
    if not len(corpus) or not len(queries):
        return []
    if queries.vectors.shape[1] != corpus.vectors.shape[1]:
        raise ModelMismatch(
            f"queries of {queries.vectors.shape[1]} dimensions cannot be compared with vectors of "
            f"{corpus.vectors.shape[1]}",
            hint="pass --dimensions",
        )
    if threshold is not None and top_k is None:
        return _all_that_reach(queries, corpus, threshold)
    scores, rows = similarity.top_k(queries.vectors, corpus.vectors, top_k or TOP_K)
    results = []
    for number, text in enumerate(queries.texts):
        kept = len(rows[number]) if threshold is None else _reaching(scores[number], threshold)
        best = scores[number]
        results.append(
            SearchResult(text.text, rows[number][:kept], best[:kept], int(rows[number][0]), best[0])
        )
    return results


def _reaching(scores: NDArray[np.float32], threshold: float) -> int:
    """Return how many of `scores`, in descending order, reach the threshold."""
    return int(similarity.Metric.COSINE.reaches(scores, threshold).sum())


def _all_that_reach(queries: Corpus, corpus: Corpus, threshold: float) -> list[SearchResult]:
    import numpy as np

    none = (np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32))
    parts = [*similarity.matches_above(queries.vectors, corpus.vectors, threshold)] or [none]
    which, rows, scores = (np.concatenate(kind) for kind in zip(*parts, strict=True))
    order = np.lexsort((rows, -scores, which))
    which, rows, scores = which[order], rows[order], scores[order]
    ends = np.searchsorted(which, np.arange(len(queries) + 1))
    missed = np.flatnonzero(np.diff(ends) == 0)
    best, nearest = similarity.top_k(queries.vectors[missed], corpus.vectors, 1)
    miss = {query: (int(nearest[i, 0]), best[i, 0]) for i, query in enumerate(missed.tolist())}
    results = []
    for number, (text, start, stop) in enumerate(zip(queries.texts, ends, ends[1:], strict=False)):
        closest, score = miss[number] if number in miss else (int(rows[start]), scores[start])
        results.append(SearchResult(text.text, rows[start:stop], scores[start:stop], closest, score))
    return results


def surrounding_lines(corpus: Corpus, row: int, lines: int) -> Surroundings:
    """Return up to `lines` lines before and after text `row`; none for saved vectors.

    Lines that were skipped as blank are empty.
    """
    place = corpus.texts[row].origin
    # A row of a table or a JSON value can span several lines.
    if corpus.saved or corpus.texts[row].fields or place.line is None or lines < 1:
        return Surroundings([], [])
    known = {text.origin.line or 0: text.text for text in _around(corpus.texts, row, lines)}
    first, last = max(min(known), place.line - lines), min(max(known), place.line + lines)
    return Surroundings(
        [(line, known.get(line, "")) for line in range(first, place.line)],
        [(line, known.get(line, "")) for line in range(place.line + 1, last + 1)],
    )


def surrounding_parts(corpus: Corpus, row: int, parts: int) -> Surroundings:
    """Return up to `parts` parts of the same file, or of the same record, before and after text `row`."""
    texts = corpus.texts
    if corpus.saved:
        return Surroundings([], [])
    beside = [*_around(texts, row, parts)]
    at = next(place for place, text in enumerate(beside) if text is texts[row])
    own = _owner(texts[row])
    before, after = (
        [(text.origin.line or 0, text.text) for text in some if _owner(text) == own]
        for some in (beside[:at], beside[at + 1 :])
    )
    return Surroundings(before, after)


def _owner(text: Text) -> str:
    """Return what a part is of: its file, or for a part of a record the record, by its id."""
    return f"{text.origin.source}\0{text.id.rpartition('#')[0]}" if text.fields else text.origin.source


def _around(texts: Sequence[Text], row: int, lines: int) -> Iterator[Text]:
    for other in range(max(row - lines, 0), min(row + lines + 1, len(texts))):
        if texts[other].origin.source == texts[row].origin.source:
            yield texts[other]

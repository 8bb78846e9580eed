"""Retrieval from Lance datasets, which are searched where they are: only the rows that are found are read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from simil import similarity
from simil.errors import Place
from simil.tasks.corpus import Corpus, UnreadTexts
from simil.tasks.retrieval import TOP_K, SearchResult
from simil.texts import Text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from simil.vectors.stored_vectors import StoredVectors

    Searched = StoredVectors | Corpus
    # Numbers of queries int64, rows of a source, and scores float32, all of one length.
    Pairs = tuple[NDArray[np.int64], NDArray[np.uint64], NDArray[np.float32]]

__all__ = ["FoundTexts", "search_dataset", "search_stored", "texts_of"]

# Rows that are read from a dataset at a time.
_TAKEN = 1024


def search_stored(
    queries: Corpus | Iterable[Corpus],
    sources: Sequence[Searched],
    *,
    top_k: int | None = None,
    threshold: float | None = None,
    where: str | None = None,
    exact: bool = False,
) -> tuple[list[SearchResult], Corpus]:
    """Return what `search` does for datasets, and saved vectors beside them, as if they were one corpus.

    The results' rows are those of the corpus that is returned, which holds the texts that were found, each
    read when it is asked for. Its vectors stay where they are: float32 [n, 0]. There are no results where no
    row meets the condition `where`, in SQL, which is for datasets only.

    Candidates come by a dataset's index where it has one that pays; with `exact`, and with a threshold but no
    `top_k`, all vectors are read. Scores are exact either way. Where `queries` come in groups, each group is
    searched for before the next is read. Errors as in `nearest`.
    """
    import numpy as np

    filled = [source for source in sources if _size(source)]
    results, hits = _searched(queries, filled, top_k, threshold, where, exact=exact)
    texts = FoundTexts(filled, hits)
    return results, Corpus(texts, np.empty((len(texts), 0), np.float32), _model(filled), saved=True)


def search_dataset(
    queries: Corpus,
    stored: StoredVectors,
    *,
    top_k: int | None = None,
    threshold: float | None = None,
    where: str | None = None,
    exact: bool = False,
) -> list[SearchResult]:
    """Return what `search_stored` does for one dataset; rows are numbers of its rows, from 0."""
    filled = [stored] if stored.rows else []
    results, hits = _searched(queries, filled, top_k, threshold, where, exact=exact)
    numbers = stored.numbers(hits.rows)
    return [
        replace(result, rows=numbers[result.rows], nearest=int(numbers[result.nearest])) for result in results
    ]


def _searched(
    queries: Corpus | Iterable[Corpus],
    sources: Sequence[Searched],
    top_k: int | None,
    threshold: float | None,
    where: str | None,
    *,
    exact: bool,
) -> tuple[list[SearchResult], _Hits]:
    """Return the results of all queries, and the hits whose numbers their rows are."""
    asked: list[str] = []
    found, missed = [_Hits.none()], [_Hits.none()]
    for group in [queries] if isinstance(queries, Corpus) else queries:
        if sources and len(group):
            reached, others = _Search(group.vectors, where, exact).hits(sources, top_k, threshold)
            found.append(reached.later(len(asked)))
            missed.append(others.later(len(asked)))
        asked += [text.text for text in group.texts]
    hits, nearest = _Hits.joined(found), _Hits.joined(missed)
    return [*_results(asked, hits, nearest)], _Hits.joined([hits, nearest])


@dataclass(frozen=True, slots=True, eq=False)
class _Hits:
    """Which rows were found: for each hit its query, source, row of that source, and score."""

    queries: NDArray[np.int64]
    sources: NDArray[np.int64]
    rows: NDArray[np.uint64]
    scores: NDArray[np.float32]

    @classmethod
    def joined(cls, parts: Sequence[_Hits]) -> _Hits:
        import numpy as np

        columns = zip(*((part.queries, part.sources, part.rows, part.scores) for part in parts), strict=True)
        queries, sources, rows, scores = (np.concatenate(column) for column in columns)
        return cls(queries, sources, rows, scores)

    @classmethod
    def none(cls) -> _Hits:
        import numpy as np

        number = np.empty(0, np.int64)
        return cls(number, number, np.empty(0, np.uint64), np.empty(0, np.float32))

    def only(self, which: NDArray[np.int64] | NDArray[np.bool_]) -> _Hits:
        return _Hits(self.queries[which], self.sources[which], self.rows[which], self.scores[which])

    def later(self, queries: int) -> _Hits:
        """Return the hits of queries that come after so many others."""
        return replace(self, queries=self.queries + queries)

    def ranked(self) -> _Hits:
        """Return the hits by query, best first; ties stay in the order of sources and their rows."""
        import numpy as np

        return self.only(np.lexsort((-self.scores, self.queries)))

    def ranks(self) -> NDArray[np.int64]:
        """Return for each of ranked hits how many of its query are before it."""
        import numpy as np

        return np.arange(len(self.queries)) - np.searchsorted(self.queries, self.queries)


@dataclass(frozen=True, slots=True, eq=False)
class _Search:
    """How queries [q, d] are looked for in any source."""

    queries: NDArray[np.float32]
    where: str | None
    exact: bool

    def hits(
        self, sources: Sequence[Searched], top_k: int | None, threshold: float | None
    ) -> tuple[_Hits, _Hits]:
        """Return the results of all queries, and the nearest row of each query that has none."""
        import numpy as np

        if threshold is not None and top_k is None:
            found = self._that_reach(sources, threshold)
            without = np.setdiff1d(np.arange(len(self.queries)), found.queries)
            nearest = _Search(self.queries[without], self.where, exact=True)._best(sources, 1)
            return found, replace(nearest, queries=without[nearest.queries])
        found = self._best(sources, top_k or TOP_K)
        if threshold is None:
            return found, _Hits.none()
        reaches = similarity.Metric.COSINE.reaches(found.scores, threshold)
        return found.only(reaches), found.only((found.ranks() == 0) & ~reaches)

    def _best(self, sources: Sequence[Searched], k: int) -> _Hits:
        """Return the `k` best hits of each query among all sources."""
        found = [self._best_of(source, number, k) for number, source in enumerate(sources)]
        hits = _Hits.joined(found).ranked()
        return hits.only(hits.ranks() < k)

    def _best_of(self, source: Searched, number: int, k: int) -> _Hits:
        import numpy as np

        if isinstance(source, Corpus):
            scores, numbers = similarity.top_k(self.queries, source.vectors, k)
            rows = numbers.astype(np.uint64)
        else:
            from simil.index.nearest import nearest

            found = nearest(source, self.queries, k, where=self.where, exact=self.exact)
            scores, rows = found.scores, found.row_ids
        asked = np.repeat(np.arange(len(self.queries)), rows.shape[1])
        return _Hits(asked, np.full(len(asked), number), rows.ravel(), scores.ravel())

    def _that_reach(self, sources: Sequence[Searched], threshold: float) -> _Hits:
        import numpy as np

        found = [
            _Hits(asked, np.full(len(asked), number), rows, scores)
            for number, source in enumerate(sources)
            for asked, rows, scores in self._pairs_of(source, threshold)
        ]
        return _Hits.joined([_Hits.none(), *found]).ranked()

    def _pairs_of(self, source: Searched, threshold: float) -> Iterator[Pairs]:
        import numpy as np

        if isinstance(source, Corpus):
            for asked, rows, scores in similarity.matches_above(self.queries, source.vectors, threshold):
                yield asked, rows.astype(np.uint64), scores
        else:
            from simil.index.reaching import reaching

            yield from reaching(source, self.queries, threshold, where=self.where)


class FoundTexts(UnreadTexts):
    """The texts of rows of several sources, read from datasets when they are asked for, some at a time."""

    def __init__(self, sources: Sequence[Searched], hits: _Hits) -> None:
        self._sources = sources
        self._hits = hits
        self._first = 0
        self._read: list[Text] = []

    def __len__(self) -> int:
        return len(self._hits.rows)

    def text(self, row: int) -> Text:
        if not self._first <= row < self._first + len(self._read):
            self._first = row - row % _TAKEN
            self._read = self._texts(slice(self._first, self._first + _TAKEN))
        return self._read[row - self._first]

    def _texts(self, part: slice) -> list[Text]:
        hits = [*zip(self._hits.sources[part].tolist(), self._hits.rows[part].tolist(), strict=True)]
        read: dict[tuple[int, int], Text] = {}
        for number, source in enumerate(self._sources):
            rows = sorted({row for which, row in hits if which == number})
            texts = texts_of(source, rows) if rows else []
            read |= {(number, row): text for row, text in zip(rows, texts, strict=True)}
        return [read[hit] for hit in hits]


def texts_of(source: Searched, rows: Sequence[int]) -> list[Text]:
    """Return the texts of rows of a source, in this order."""
    if isinstance(source, Corpus):
        return [source.texts[row] for row in rows]
    file = source.take(rows)
    return [
        Text(id_, text or "", Place(file.source), fields)
        for id_, text, fields in zip(file.ids, file.texts, file.fields, strict=True)
    ]


def _results(asked: Sequence[str], hits: _Hits, nearest: _Hits) -> Iterator[SearchResult]:
    """Yield the results of queries, whose rows are the numbers of `hits`, then those of `nearest`."""
    import numpy as np

    numbers = np.arange(len(asked) + 1)
    ends = np.searchsorted(hits.queries, numbers).tolist()
    misses = dict(zip(nearest.queries.tolist(), range(len(nearest.queries)), strict=True))
    for number, query in enumerate(asked):
        start, stop = ends[number], ends[number + 1]
        scores = hits.scores[start:stop]
        if start < stop:
            yield SearchResult(query, np.arange(start, stop), scores, start, np.float32(scores[0]))
        elif number in misses:
            miss = misses[number]
            row = len(hits.rows) + miss
            yield SearchResult(query, np.arange(0), scores, row, np.float32(nearest.scores[miss]))


def _size(source: Searched) -> int:
    return len(source) if isinstance(source, Corpus) else source.rows


def _model(sources: Sequence[Searched]) -> str | None:
    return sources[0].model if sources else None

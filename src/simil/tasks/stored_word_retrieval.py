"""Retrieval from a Lance dataset by words, and by words and meaning: only rows that are found are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from simil.index.nearest import nearest
from simil.similarity.rank_fusion import fuse, ranks_in
from simil.tasks.corpus import Corpus
from simil.tasks.retrieval import TOP_K, JointRanks, SearchResult
from simil.tasks.stored_retrieval import texts_of
from simil.tasks.word_retrieval import (
    HYBRID_CANDIDATES,
    cosines_with,
    hybrid_result,
    searched_text,
    words_result,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from simil.index.stored_words import StoredWords
    from simil.texts import Text
    from simil.vectors.stored_vectors import StoredVectors

__all__ = ["search_stored_hybrid", "search_stored_words", "with_numbers", "with_texts"]


def search_stored_words(
    queries: Sequence[Text], stored: StoredVectors, words: StoredWords, *, top_k: int | None = None
) -> list[SearchResult]:
    """Return what `search_words` does for a dataset; rows are its row ids."""
    import numpy as np

    results = []
    for query in map(searched_text, queries):
        found = words.best(query, top_k or TOP_K)
        results.append(words_result(query, found.scores, found.row_ids.astype(np.int64)))
    return results


def search_stored_hybrid(
    queries: Corpus,
    stored: StoredVectors,
    words: StoredWords,
    *,
    top_k: int | None = None,
    where: str | None = None,
    exact: bool = False,
) -> list[SearchResult]:
    """Return what `search_hybrid` does for a dataset; rows are its row ids.

    `where` and `exact` are as in `nearest`, and `words` are found under the same condition. There are no
    results where no row meets it. Errors as in `nearest`.
    """
    import numpy as np

    if not len(queries):
        return []
    depth = max(HYBRID_CANDIDATES, top_k or TOP_K)
    asked = [*map(searched_text, queries.texts)]
    near = nearest(stored, queries.vectors, depth, where=where, exact=exact)
    results = []
    for number, by_meaning in enumerate(near.row_ids.astype(np.int64)):
        text, vector = asked[number], queries.vectors[number]
        by_words = words.candidates(text, depth).row_ids.astype(np.int64)
        rows, fused = fuse([by_words, by_meaning])
        rows, fused = rows[: top_k or TOP_K], fused[: top_k or TOP_K]
        if len(rows):
            joint = JointRanks(
                _cosines(stored, rows, vector),
                ranks_in(by_meaning, rows),
                words.scores(text, rows.astype(np.uint64)),
                ranks_in(by_words, rows),
            )
            results.append(hybrid_result(text, rows, fused, joint))
    return results


def _cosines(
    stored: StoredVectors, rows: NDArray[np.int64], query: NDArray[np.float32]
) -> NDArray[np.float32]:
    import numpy as np

    row_ids = rows.astype(np.uint64)
    vectors = stored.take_vectors(row_ids)[:, : len(query)]
    return cosines_with(query, stored.of_length_one(row_ids, vectors))


def with_texts(
    results: Sequence[SearchResult], stored: StoredVectors, model: str | None
) -> tuple[list[SearchResult], Corpus]:
    """Return results whose rows are row ids with rows of a corpus in their place, and the corpus.

    It holds the texts that were found, without their vectors.
    """
    import numpy as np

    ids = _all_ids(results)
    texts = texts_of(stored, ids.tolist()) if len(ids) else []
    corpus = Corpus(texts, np.empty((len(texts), 0), np.float32), model, saved=True)
    return _numbered(results, ids, np.arange(len(ids))), corpus


def with_numbers(results: Sequence[SearchResult], stored: StoredVectors) -> list[SearchResult]:
    """Return results whose rows are row ids with numbers of rows, from 0, in their place."""
    import numpy as np

    ids = _all_ids(results)
    return _numbered(results, ids, stored.numbers(ids.astype(np.uint64)))


def _all_ids(results: Sequence[SearchResult]) -> NDArray[np.int64]:
    import numpy as np

    return np.unique(np.concatenate([np.empty(0, np.int64), *(result.rows for result in results)]))


def _numbered(
    results: Sequence[SearchResult], ids: NDArray[np.int64], numbers: NDArray[np.int64]
) -> list[SearchResult]:
    import numpy as np

    rows = [numbers[np.searchsorted(ids, result.rows)] for result in results]
    return [
        replace(result, rows=own, nearest=int(own[0]) if len(own) else -1)
        for result, own in zip(results, rows, strict=True)
    ]

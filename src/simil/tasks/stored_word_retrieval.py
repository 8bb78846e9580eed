"""Retrieval from a Lance dataset by words, and by words and meaning: only rows that are found are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from simil import similarity
from simil.index.nearest import nearest
from simil.similarity.rank_fusion import fuse, ranks_in
from simil.tasks.corpus import Corpus
from simil.tasks.retrieval import TOP_K, JointRanks, SearchResult
from simil.tasks.stored_retrieval import texts_of
from simil.tasks.word_retrieval import HYBRID_CANDIDATES, hybrid_result, words_result

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from simil.index.stored_words import StoredWords
    from simil.texts import Text
    from simil.vectors.stored_vectors import StoredVectors

__all__ = ["search_stored_hybrid", "search_stored_words"]


def search_stored_words(
    queries: Sequence[Text], stored: StoredVectors, words: StoredWords, *, top_k: int | None = None
) -> tuple[list[SearchResult], Corpus]:
    """Return what `search_words` does for a dataset, and the corpus that the results' rows point into.

    It holds the texts that were found, without their vectors.
    """
    import numpy as np

    results = []
    for query in queries:
        found = words.best(query.text, top_k or TOP_K)
        results.append(words_result(query.text, found.scores, found.row_ids.astype(np.int64)))
    return _beside_texts(results, stored, None)


def search_stored_hybrid(
    queries: Corpus,
    stored: StoredVectors,
    words: StoredWords,
    *,
    top_k: int | None = None,
    where: str | None = None,
    exact: bool = False,
) -> tuple[list[SearchResult], Corpus]:
    """Return what `search_hybrid` does for a dataset, and the corpus that the results' rows point into.

    It holds the texts that were found, without their vectors; `where` and `exact` are as in `nearest`, and
    `words` are found under the same condition. Errors as in `nearest`.
    """
    import numpy as np

    if not len(queries):
        return _beside_texts([], stored, stored.model)
    depth = max(HYBRID_CANDIDATES, top_k or TOP_K)
    near = nearest(stored, queries.vectors, depth, where=where, exact=exact)
    results = []
    for number, by_meaning in enumerate(near.row_ids.astype(np.int64)):
        text, vector = queries.texts[number].text, queries.vectors[number]
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
    return _beside_texts(results, stored, stored.model)


def _cosines(
    stored: StoredVectors, rows: NDArray[np.int64], query: NDArray[np.float32]
) -> NDArray[np.float32]:
    import numpy as np

    vectors = similarity.of_length_one(stored.take(rows.astype(np.uint64)).vectors[:, : len(query)])
    return similarity.pairwise(np.broadcast_to(query, vectors.shape), vectors)


def _beside_texts(
    results: Sequence[SearchResult], stored: StoredVectors, model: str | None
) -> tuple[list[SearchResult], Corpus]:
    """Return results whose rows are row ids with rows of a corpus in their place, and the corpus."""
    import numpy as np

    ids = np.unique(np.concatenate([np.empty(0, np.int64), *(result.rows for result in results)]))
    texts = texts_of(stored, ids.tolist()) if len(ids) else []
    numbered = []
    for result in results:
        rows = np.searchsorted(ids, result.rows)
        numbered.append(replace(result, rows=rows, nearest=int(rows[0]) if len(rows) else -1))
    return numbered, Corpus(texts, np.empty((len(texts), 0), np.float32), model, saved=True)

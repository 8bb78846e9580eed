"""Retrieval by words, and by words and meaning together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from simil import similarity
from simil.index.word_index import WordIndex
from simil.index.word_tokens import DEFAULT_LANGUAGE
from simil.progress import Progress, silent
from simil.similarity.rank_fusion import fuse, ranks_in
from simil.tasks.corpus import Corpus, given_text
from simil.tasks.retrieval import TOP_K, JointRanks, SearchBy, SearchResult, search

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from simil.texts import Text

__all__ = [
    "HYBRID_CANDIDATES",
    "cosines_with",
    "hybrid_result",
    "index_words",
    "search_hybrid",
    "search_words",
    "searched_text",
    "words_result",
]

# How many texts by meaning, and how many by words, are joined.
HYBRID_CANDIDATES = 100


def searched_text(text: Text) -> str:
    """Return the words to search, or to search for; raises InputError for a saved vector without its text."""
    return given_text(text, "a search by words")


def index_words(
    texts: Sequence[Text], language: str = DEFAULT_LANGUAGE, *, progress: Progress = silent
) -> WordIndex:
    """Return texts by their words; raises InputError for a saved vector without its text."""
    return WordIndex(map(searched_text, texts), language, progress=progress, total=len(texts))


def search_words(
    queries: Sequence[Text], words: WordIndex, *, top_k: int | None = None
) -> list[SearchResult]:
    """Return the rows with the largest BM25 score for each query, ties in order; 10 without `top_k`.

    Only texts that have a word of the query are found. Raises InputError for a query without its text.
    """
    if not len(words):
        return []
    asked = [*map(searched_text, queries)]
    return [words_result(query, *words.best(query, top_k or TOP_K)) for query in asked]


def words_result(query: str, scores: NDArray[np.float32], rows: NDArray[np.int64]) -> SearchResult:
    """Return the results of a search by words, best first."""
    nearest, score = (int(rows[0]), scores[0]) if len(rows) else (-1, scores.dtype.type(0))
    return SearchResult(query, rows, scores, nearest, score, by=SearchBy.WORDS)


def search_hybrid(
    queries: Corpus, corpus: Corpus, words: WordIndex, *, top_k: int | None = None
) -> list[SearchResult]:
    """Return the rows that rank highest for each query by meaning and by words; 10 without `top_k`.

    The `HYBRID_CANDIDATES` best by cosine are joined with as many by BM25 by reciprocal rank fusion (`fuse`);
    those by words are `WordIndex.candidates`, since a ranking of texts that share a few words of a question
    with it would outvote the model. `words` are those of the corpus. Errors as in `search`, `search_words`.
    """
    depth = max(HYBRID_CANDIDATES, top_k or TOP_K)
    asked = [*map(searched_text, queries.texts)]
    results = []
    for number, near in enumerate(search(queries, corpus, top_k=depth)):
        bm25, by_words = words.scores(asked[number]), words.candidates(asked[number], depth)[1]
        rows, fused = fuse([by_words, near.rows])
        rows, fused = rows[: top_k or TOP_K], fused[: top_k or TOP_K]
        cosines = cosines_with(queries.vectors[number], corpus.vectors[rows])
        joint = JointRanks(cosines, ranks_in(near.rows, rows), bm25[rows], ranks_in(by_words, rows))
        results.append(hybrid_result(near.query, rows, fused, joint))
    return results


def hybrid_result(
    query: str, rows: NDArray[np.int64], fused: NDArray[np.float64], joint: JointRanks
) -> SearchResult:
    """Return the results of a hybrid search, best first."""
    import numpy as np

    scores = fused.astype(np.float32)
    return SearchResult(query, rows, scores, int(rows[0]), scores[0], by=SearchBy.HYBRID, joint=joint)


def cosines_with(query: NDArray[np.float32], vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the cosine of a query with each of `vectors` [n, d], all of length 1, as `search` gives it."""
    import numpy as np

    return similarity.pairwise(np.broadcast_to(query, vectors.shape), vectors, similarity.Metric.DOT)

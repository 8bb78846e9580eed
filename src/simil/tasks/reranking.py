"""Reranking: a cross-encoder orders the best candidates of an embedding search."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

from simil.errors import InputError
from simil.progress import Progress, silent
from simil.tasks.corpus import Corpus, given_text
from simil.tasks.matching import Matches, check_one_to_one, keep_one_to_one
from simil.tasks.pair_scoring import score_pairs
from simil.tasks.retrieval import SearchResult

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from simil.scorers.base import Scorer

__all__ = ["CANDIDATES", "rerank_matches", "rerank_results"]

CANDIDATES = 100
_LABEL = "reranking"

OnError = Callable[[InputError], None]


def rerank_results(
    found: Sequence[SearchResult],
    queries: Corpus,
    corpus: Corpus,
    scorer: Scorer,
    *,
    top_k: int | None = None,
    on_error: OnError | None = None,
    progress: Progress = silent,
) -> list[SearchResult]:
    """Return the results of each query in the order of what the scorer says of query and text.

    Equal scores keep the order of the search. Of each query the first `top_k` are kept, None for all. A pair
    that the model refuses goes to `on_error` and is left out; without `on_error`, it raises `InputError`, as
    does a saved vector without its text.
    """
    import numpy as np

    which = np.repeat(np.arange(len(found)), [len(result.rows) for result in found])
    rows = np.concatenate([result.rows for result in found]) if found else np.empty(0, np.int64)
    scores = _score(queries, which, corpus, rows, scorer, on_error, progress)
    reranked, start = [], 0
    for result in found:
        own = scores[start : start + len(result.rows)]
        start += len(result.rows)
        order = _descending(own)[:top_k]
        reranked.append(replace(result.taken(order), rerank_scores=own[order]))
    return reranked


def rerank_matches(
    found: Matches,
    left: Corpus,
    right: Corpus,
    scorer: Scorer,
    *,
    k: int = 1,
    one_to_one: bool = False,
    on_error: OnError | None = None,
    progress: Progress = silent,
) -> Matches:
    """Return those of the pairs that the scorer rates highest: `k` for each text of `left`, best first.

    With `one_to_one`, those that `keep_one_to_one` keeps. All else is as in `rerank_results`; also raises
    what `check_one_to_one` does.
    """
    import numpy as np

    if one_to_one:
        check_one_to_one(len(np.unique(found.left)), len(np.unique(found.right)))
    scores = _score(left, found.left, right, found.right, scorer, on_error, progress)
    order = np.concatenate(
        [np.empty(0, np.int64), *_best_of_each(found.left, scores, None if one_to_one else k)]
    )
    reranked = replace(
        found,
        left=found.left[order],
        right=found.right[order],
        scores=found.scores[order],
        rerank_scores=scores[order],
    )
    return keep_one_to_one(reranked) if one_to_one else reranked


def _best_of_each(
    left: NDArray[np.int64], scores: NDArray[np.float32], k: int | None
) -> Iterator[NDArray[np.int64]]:
    """Yield the places of the `k` best pairs of each text of `left`, whose pairs stand together."""
    import numpy as np

    starts = np.flatnonzero(np.diff(left, prepend=-1)).tolist()
    for start, stop in pairwise([*starts, len(left)]):
        yield start + _descending(scores[start:stop])[:k]


def _descending(scores: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the places of scores, highest first, ties in order, without those that are nan."""
    import numpy as np

    order = np.argsort(-scores, kind="stable")
    return order[: len(scores) - int(np.isnan(scores).sum())]


def _score(
    queries: Corpus,
    which: NDArray[np.int64],
    corpus: Corpus,
    rows: NDArray[np.int64],
    scorer: Scorer,
    on_error: OnError | None,
    progress: Progress,
) -> NDArray[np.float32]:
    """Return the scores of the queries `which` with the texts at `rows`, float32 [len(rows)]."""
    pairs = [
        (_text(queries, query), _text(corpus, row))
        for query, row in zip(which.tolist(), rows.tolist(), strict=True)
    ]
    places = [corpus.texts[row].origin for row in rows.tolist()]
    return score_pairs(pairs, scorer, places=places, on_error=on_error, progress=progress, label=_LABEL)


def _text(corpus: Corpus, row: int) -> str:
    return given_text(corpus.texts[row], "a reranker")

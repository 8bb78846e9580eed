"""BM25 over texts in memory, by bm25s."""

from __future__ import annotations

from collections.abc import Iterable
from math import log
from typing import TYPE_CHECKING, Any

from simil.errors import ExtraMissing
from simil.index.word_tokens import DEFAULT_LANGUAGE, Tokenizer, codes
from simil.progress import Progress, Total, silent

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from simil.index.word_tokens import Terms

__all__ = ["LEAST_SHARE", "WordIndex", "unknown_weight"]

# As in Lance and Lucene.
_K1, _B = 1.2, 0.75

# Of the score that all words of a query could give, what a text has that stands for the query.
LEAST_SHARE = 0.6


def unknown_weight(texts: int) -> float:
    """Return the weight of a word that none of so many texts has."""
    return log(1 + (texts + 0.5) / 0.5)


class WordIndex:
    """Texts by their words.

    The score of a text is the sum over the words of a query of idf · tf · (k1 + 1) / (tf + k1 · (1 - b + b ·
    length / mean length)), where idf = log(1 + (N - df + 0.5) / (df + 0.5)), k1 = 1.2 and b = 0.75: BM25 as
    Lance has it (Robertson and Zaragoza, The Probabilistic Relevance Framework: BM25 and Beyond, 2009).
    """

    def __init__(
        self,
        texts: Iterable[str],
        language: str = DEFAULT_LANGUAGE,
        *,
        progress: Progress = silent,
        total: Total = None,
    ) -> None:
        """Take the texts; `language` is as in `Tokenizer`. Raises ExtraMissing without the extra."""
        model = _bm25s().BM25(k1=_K1, b=_B, method="atire", idf_method="lucene")
        self._tokenizer = Tokenizer(language)
        with progress("indexing", total=total, unit="texts") as advance:
            terms = self._tokenizer.tokenize(texts, advance)
        model.scores = _term_scores(terms)
        model.nonoccurrence_array = None
        self._model = model
        self._vocabulary = terms.vocabulary

    def __len__(self) -> int:
        return int(self._model.scores["num_docs"])

    def scores(self, query: str) -> NDArray[np.float32]:
        """Return the score of each text, float32 [n]: 0 for those that have no word of the query."""
        import numpy as np

        known = self._known(query)
        found: NDArray[np.float32] = (
            self._model.get_scores_from_ids(known) if known else np.zeros(len(self), np.float32)
        )
        return found

    def best(
        self, query: str, k: int, *, among: NDArray[np.bool_] | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return the scores and rows of the `k` best texts, best first, ties by row.

        Only texts that have a word of the query are found, and of these only those `among` bool [n].
        """
        import numpy as np

        scores = self.scores(query)
        rows = np.flatnonzero(scores > 0 if among is None else (scores > 0) & among)
        if len(rows) > k:
            least = np.partition(scores[rows], len(rows) - k)[len(rows) - k]
            rows = rows[scores[rows] >= least]
        order = np.argsort(-scores[rows], kind="stable")[:k]
        return scores[rows[order]], rows[order]

    def candidates(
        self, query: str, k: int, *, among: NDArray[np.bool_] | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return what `best` does, without texts that have but little of a query.

        A text needs `LEAST_SHARE` of the score that all words of the query could give: for each the highest
        that it gives to any text, and its full weight if no text has it. A text that has a number or a code
        of the query needs no more than that.
        """
        import numpy as np

        scores, rows = self.best(query, k, among=among)
        kept = scores >= LEAST_SHARE * self._ceiling(query)
        for code in codes(query):
            # The last term is the whole: not every text with a 7 is about the RX-7.
            whole = self._tokenizer.terms(code)[-1]
            if whole in self._vocabulary:
                kept |= np.isin(rows, self._column(self._vocabulary[whole], "indices"))
        return scores[kept], rows[kept]

    def _ceiling(self, query: str) -> float:
        known = self._known(query)
        unknown = len(self._tokenizer.terms(query)) - len(known)
        return unknown * unknown_weight(len(self)) + sum(
            float(self._column(term, "data").max()) for term in known
        )

    def _column(self, term: int, part: str) -> NDArray[Any]:
        start, stop = self._model.scores["indptr"][term : term + 2]
        column: NDArray[Any] = self._model.scores[part][start:stop]
        return column

    def _known(self, query: str) -> list[int]:
        terms = self._tokenizer.terms(query)
        return [self._vocabulary[term] for term in terms if term in self._vocabulary]


def _term_scores(terms: Terms) -> dict[str, Any]:
    """Return the score of each term in each text that has it, as bm25s keeps them: sparse, by columns.

    bm25s counts text by text in Python; sorting all terms at once takes a tenth of that.
    """
    import numpy as np

    number = len(terms.lengths)
    rows = np.repeat(np.arange(number), terms.lengths)
    places = terms.numbers.astype(np.int64) * max(number, 1) + rows
    places.sort()
    firsts = np.flatnonzero(np.diff(places, prepend=-1))
    tf = np.diff(firsts, append=len(places)).astype(np.float32)
    columns, rows = np.divmod(places[firsts], max(number, 1))
    df = np.bincount(columns, minlength=len(terms.vocabulary))
    idf = np.log(1 + (number - df + 0.5) / (df + 0.5)).astype(np.float32)
    relative = (terms.lengths / max(terms.lengths.mean(), 1e-9) if number else terms.lengths)[rows]
    data = idf[columns] * tf * (_K1 + 1) / (tf + _K1 * (1 - _B + _B * relative))
    return {
        "data": data.astype(np.float32),
        "indices": rows.astype(np.int32),
        "indptr": np.concatenate(([0], np.cumsum(df))),
        "num_docs": number,
    }


def _bm25s() -> Any:
    try:
        import bm25s
    except ImportError as exc:
        raise ExtraMissing("search by words needs bm25s, which is not installed", extra="words") from exc
    return bm25s

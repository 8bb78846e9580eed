"""BM25 over the texts of a Lance dataset, by its full-text index."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from simil.errors import InputError, UsageError
from simil.formats.arrow_schemas import ColumnRoles
from simil.formats.lance_library import lance, lance_errors
from simil.index.word_index import LEAST_SHARE, WordIndex, unknown_weight
from simil.index.word_tokens import (
    DEFAULT_LANGUAGE,
    NO_LANGUAGE,
    codes,
    compounds,
    split_words,
    word_parts,
)
from simil.progress import Progress, silent
from simil.vectors.where_conditions import enclosed, where_errors

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from simil.vectors.stored_vectors import StoredVectors

__all__ = [
    "LANGUAGES",
    "StoredWords",
    "WordCandidates",
    "build_full_text",
    "check_index_language",
    "text_column",
]

# The stemmers that Lance has.
LANGUAGES = (
    "arabic", "danish", "dutch", "english", "finnish", "french", "german", "greek", "hungarian", "italian",
    "norwegian", "portuguese", "romanian", "russian", "spanish", "swedish", "tamil", "turkish",
)  # fmt: skip

# Lance's own limit while it builds an index is 2 GB for each core.
_BUILDING_MB = 1024
# As many texts as are indexed in memory at once where the dataset has no full-text index.
_SCANNED_ROWS = 100_000


@dataclass(frozen=True, eq=False, slots=True)
class WordCandidates:
    """The best rows for a query, best first, of those that have a word of it.

    Their BM25 scores float32 [k] and row ids uint64 [k].
    """

    scores: NDArray[np.float32]
    row_ids: NDArray[np.uint64]


def text_column(schema: Any) -> str | None:
    """Return the name of the column of texts; None if there is none."""
    roles = ColumnRoles.of(schema)
    return roles.text if roles is not None else "text" if "text" in schema.names else None


def check_index_language(language: str) -> None:
    """Raise UsageError for a language that Lance has no stemmer for."""
    if language not in (*LANGUAGES, NO_LANGUAGE):
        raise UsageError(
            f"Lance has no stemmer for {language!r}",
            hint=f"--language none, or one of {', '.join(LANGUAGES)}",
        )


def build_full_text(
    dataset: Any,
    language: str = DEFAULT_LANGUAGE,
    *,
    on_progress: Callable[[Any], None] | None = None,
) -> None:
    """Build the full-text index of a dataset on its texts, in place of one that is there.

    Its words are those of ICU, so that Chinese, Japanese and Thai are split too, with parts of words such as
    "RX-7" by themselves and their positions, so that the whole can be told from its parts. Stop words are
    kept. `on_progress` gets Lance's `IndexProgress`. Raises UsageError as `check_index_language` does, and
    InputError for a dataset without texts.
    """
    check_index_language(language)
    column = text_column(dataset.schema)
    if column is None:
        raise InputError("has no column of texts")
    stems = language != NO_LANGUAGE
    dataset.create_scalar_index(
        column,
        "INVERTED",
        replace=True,
        base_tokenizer="icu/split",
        language=language.title() if stems else "English",
        stem=stems,
        lower_case=True,
        ascii_folding=True,
        remove_stop_words=False,
        max_token_length=None,
        with_position=True,
        memory_limit=_BUILDING_MB,
        **({"progress_callback": on_progress} if on_progress else {}),
    )


@dataclass(frozen=True, eq=False, slots=True)
class _ReadTexts:
    """All texts of a dataset, their row ids uint64 [n], and which of them count bool [n], None for all."""

    index: WordIndex
    row_ids: NDArray[np.uint64]
    counts: NDArray[np.bool_] | None


class StoredWords:
    """The texts of a dataset by their words: by its full-text index, or read if they are few.

    Rows that were appended since the index was built are found too.
    """

    def __init__(
        self,
        stored: StoredVectors,
        language: str | None = None,
        *,
        where: str | None = None,
        progress: Progress = silent,
    ) -> None:
        """Take a dataset; `where` is a condition in SQL that results meet.

        `language` None is that of the index. Raises InputError for a dataset without texts, or with more of
        them than are read without an index; UsageError for another language than the index has, and for a
        condition that Lance does not take.
        """
        column = text_column(stored.dataset.schema)
        if column is None:
            raise InputError("has no column of texts to search by words", place=stored.place)
        if where is not None:
            stored.check_where(where)
        self._stored, self._column, self._where = stored, column, where
        self._progress = progress
        self._highest_scores: dict[str, float] = {}
        settings = self._index_settings()
        self._has_positions = bool(settings and settings.get("with_position"))
        self.is_indexed = settings is not None
        if settings is None:
            self._check_few()
        elif language is not None and language != (found := _language_of(settings)):
            raise UsageError(
                f"the full-text index of {stored.name} is {found}, not {language}",
                hint=f"leave it out, or build it again: simil index {stored.name} --language {language}",
            )
        self.language = _language_of(settings) if settings else language or DEFAULT_LANGUAGE

    def best(self, query: str, k: int) -> WordCandidates:
        """Return the `k` best rows that have a vector for a query, ties by row."""
        if not self.is_indexed:
            return self._of_read(*self._read.index.best(query, k, among=self._read.counts))
        wanted = k
        while True:
            found = self._ranked(self._query(query), wanted, self._where)
            kept = self._with_vectors(found)
            if len(kept.row_ids) >= k or len(found.row_ids) < wanted:
                return WordCandidates(kept.scores[:k], kept.row_ids[:k])
            wanted *= 2

    def candidates(self, query: str, k: int) -> WordCandidates:
        """Return what `best` does, without texts that have but little of a query; see `WordIndex`."""
        import numpy as np

        if not self.is_indexed:
            return self._of_read(*self._read.index.candidates(query, k, among=self._read.counts))
        found = self.best(query, k)
        kept = found.scores >= LEAST_SHARE * self._ceiling(query)
        for code in codes(query):
            kept |= np.isin(found.row_ids, self._ranked(self._whole(code), k, self._where).row_ids)
        return WordCandidates(found.scores[kept], found.row_ids[kept])

    def scores(self, query: str, row_ids: NDArray[np.uint64]) -> NDArray[np.float32]:
        """Return the BM25 score of rows, float32 [n]: 0 for those that have no word of the query."""
        import numpy as np

        if not self.is_indexed:
            order = np.argsort(self._read.row_ids)
            places = np.searchsorted(self._read.row_ids, row_ids, sorter=order)
            return self._read.index.scores(query)[order[places]]
        condition = f"_rowid IN ({', '.join(map(str, row_ids.tolist()))})"
        found = self._ranked(self._query(query), len(row_ids), condition)
        scores = dict(zip(found.row_ids.tolist(), found.scores.tolist(), strict=True))
        return np.array([scores.get(row, 0) for row in row_ids.tolist()], np.float32)

    def _ceiling(self, query: str) -> float:
        """Return the score that all words of a query could give; see `WordIndex`."""
        match, phrase = lance().query.MatchQuery, lance().query.PhraseQuery
        missing = unknown_weight(self._stored.rows)
        parts = [part for word in split_words(query) for part in word_parts(word)]
        wholes = compounds(query) if self._has_positions else []
        return sum(self._highest(match(part, self._column), part) or missing for part in parts) + sum(
            self._highest(phrase(whole, self._column), whole) for whole in wholes
        )

    def _highest(self, query: Any, name: str) -> float:
        """Return the highest score that a word gives to any text, 0 where no text has it."""
        if name not in self._highest_scores:
            scores = self._ranked(query, 1, None).scores
            self._highest_scores[name] = float(scores[0]) if len(scores) else 0.0
        return self._highest_scores[name]

    def _of_read(self, scores: NDArray[np.float32], rows: NDArray[np.int64]) -> WordCandidates:
        return WordCandidates(scores, self._read.row_ids[rows])

    @cached_property
    def _read(self) -> _ReadTexts:
        import numpy as np

        filled = f"`{self._stored.column}` IS NOT NULL"
        row_ids, texts = self._scan(filled, [self._column])
        index = WordIndex(texts, self.language, progress=self._progress, total=len(texts))
        if self._where is None:
            return _ReadTexts(index, row_ids, None)
        meeting, _ = self._scan(f"{enclosed(self._where)} AND {filled}", [])
        return _ReadTexts(index, row_ids, np.isin(row_ids, meeting))

    def _scan(self, condition: str, columns: list[str]) -> tuple[NDArray[np.uint64], list[str]]:
        with where_errors(self._stored.place, self._where):
            found = self._stored.dataset.to_table(columns=columns, filter=condition, with_row_id=True)
        texts = [text or "" for text in found[self._column].to_pylist()] if columns else []
        return found["_rowid"].to_numpy(), texts

    def _ranked(self, query: Any, k: int, where: str | None) -> WordCandidates:
        import numpy as np

        with where_errors(self._stored.place, where):
            scanner = self._stored.dataset.scanner(
                columns=["_rowid", "_score"],
                with_row_id=True,
                full_text_query=query,
                filter=where,
                prefilter=True,
                limit=k,
                disable_scoring_autoprojection=True,
            )
            found = scanner.to_table()
        scores = found["_score"].to_numpy().astype(np.float32)
        rows = found["_rowid"].to_numpy().astype(np.uint64)
        order = np.lexsort((rows, -scores))
        return WordCandidates(scores[order], rows[order])

    def _query(self, query: str) -> Any:
        """Return any of the words of a query; each with punctuation inside also as its parts in a row."""
        kinds = lance().query
        words = kinds.MatchQuery(query, self._column)
        wholes = compounds(query) if self._has_positions else []
        if not wholes:
            return words
        phrases = [kinds.PhraseQuery(whole, self._column) for whole in wholes]
        return kinds.BooleanQuery([(kinds.Occur.SHOULD, part) for part in (words, *phrases)])

    def _whole(self, word: str) -> Any:
        """Return a word whose parts, if it has several, stand in a row."""
        kinds = lance().query
        if self._has_positions and compounds(word):
            return kinds.PhraseQuery(word, self._column)
        return kinds.MatchQuery(word, self._column, operator=kinds.FullTextOperator.AND)

    def _with_vectors(self, found: WordCandidates) -> WordCandidates:
        """Return the candidates that have a vector; a condition on all rows would read every vector."""
        import numpy as np

        if not len(found.row_ids):
            return found
        with lance_errors(self._stored.place):
            column = self._stored.dataset._take_rows(found.row_ids.tolist(), columns=[self._stored.column])
        kept = column[self._stored.column].is_valid().to_numpy()
        return WordCandidates(found.scores[kept], found.row_ids[np.asarray(kept)])

    def _index_settings(self) -> dict[str, Any] | None:
        """Return what the full-text index was built with; None if there is none."""
        dataset = self._stored.dataset
        with lance_errors(self._stored.place):
            for index in dataset.describe_indices():
                if [*index.field_names] == [self._column] and "Inverted" in index.type_url:
                    return dict(dataset.stats.index_stats(index.name)["indices"][0]["params"])
        return None

    def _check_few(self) -> None:
        if self._stored.rows > _SCANNED_ROWS:
            name = self._stored.name
            raise InputError(
                f"has {self._stored.rows:,} texts and no full-text index",
                hint=f"build one: simil index {name}",
                place=self._stored.place,
            )


def _language_of(settings: dict[str, Any]) -> str:
    return str(settings["language"]).lower() if settings["stem"] else NO_LANGUAGE

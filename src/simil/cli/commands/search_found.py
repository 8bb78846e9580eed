"""Searches what `simil search` has opened: a corpus in memory, or datasets where they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from simil.errors import UsageError
from simil.tasks.corpus import Corpus

if TYPE_CHECKING:
    from simil.cli.commands.search_inputs import Queries, Splitting
    from simil.cli.options.groups import StoredFlags
    from simil.session.inputs import OpenInput
    from simil.session.session import Session
    from simil.tasks.retrieval import SearchResult
    from simil.texts import Text
    from simil.vectors.stored_vectors import StoredVectors

__all__ = ["Found", "find_all"]


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found.

    Attributes:
        answers: the results of each query.
        queries: the queries, without their vectors.
        corpus: the corpus of the results' rows.
        of_datasets: how many rows were searched that are not in the corpus unless they were found.
    """

    answers: Sequence[SearchResult]
    queries: Corpus
    corpus: Corpus
    of_datasets: int = 0

    @property
    def searched(self) -> int:
        """How many texts were searched."""
        return self.of_datasets or len(self.corpus)


def find_all(
    session: Session,
    queries: Queries,
    opened: OpenInput,
    cut: Splitting,
    stored: StoredFlags,
    *,
    top_k: int | None,
    threshold: float | None,
) -> Found:
    """Search for the queries in what was opened.

    Saved vectors are opened before texts are embedded, as they name the model: those of queries, then others.
    Raises `UsageError` where the options do not fit what was opened.
    """
    stored.check(opened)
    cut.check(opened)
    saved = queries.groups(session) if queries.are_saved else None
    if opened.holds_stored:
        sources = _datasets(session, opened, stored)
        groups = _Noted(saved or queries.groups(session))
        types = opened.column_types if cut.files.all_fields else {}
        return _in_datasets(session, groups, sources, stored, types, top_k, threshold)
    from simil.tasks.retrieval import search

    corpus = cut.corpus(session, opened)
    groups = _Noted(saved or queries.groups(session))
    answers = [
        answer for group in groups for answer in search(group, corpus, top_k=top_k, threshold=threshold)
    ]
    return Found(answers, groups.queries(), corpus)


def _in_datasets(
    session: Session,
    groups: _Noted,
    sources: Sequence[Corpus | StoredVectors],
    stored: StoredFlags,
    types: Mapping[str, Any],
    top_k: int | None,
    threshold: float | None,
) -> Found:
    from simil.cli.commands.search_notes import report_reading
    from simil.tasks.stored_retrieval import search_stored

    if not stored.exact:
        needs_all = threshold is not None and top_k is None
        report_reading(sources, session.dimensions, needs_all=needs_all)
    answers, corpus = search_stored(
        groups, sources, top_k=top_k, threshold=threshold, where=stored.where, exact=stored.exact
    )
    count = sum(len(source) if isinstance(source, Corpus) else source.rows for source in sources)
    return Found(answers, groups.queries(), corpus.replaced(types=types), count)


def _datasets(session: Session, opened: OpenInput, stored: StoredFlags) -> Sequence[Corpus | StoredVectors]:
    """Open the datasets, and read the files of vectors beside them; checks the condition for each."""
    sources = session.sources(opened)
    if stored.where is not None:
        for typed, source in zip(opened.sources, sources, strict=True):
            if isinstance(source, Corpus):
                raise UsageError(
                    f"--where is for Lance datasets, and {typed.source.name} is none",
                    hint="search it in a run of its own",
                )
            source.check_where(stored.where)
    return sources


class _Noted:
    """Groups of queries, which are let go one by one; their texts are kept."""

    def __init__(self, groups: Iterable[Corpus]) -> None:
        self._groups = groups
        self._texts: list[Text] = []

    def __iter__(self) -> Iterator[Corpus]:
        for group in self._groups:
            self._texts += group.texts
            yield group

    def queries(self) -> Corpus:
        """Return the queries of the groups so far, without their vectors."""
        import numpy as np

        return Corpus(self._texts, np.empty((len(self._texts), 0), np.float32), None)

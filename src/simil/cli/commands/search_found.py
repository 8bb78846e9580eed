"""Searches what `simil search` has opened: a corpus in memory, or datasets where they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simil.errors import UsageError
from simil.tasks.corpus import Corpus

if TYPE_CHECKING:
    from simil.cli.commands.search_inputs import SearchRequest
    from simil.cli.options.groups import StoredFlags
    from simil.session.inputs import OpenInput
    from simil.session.session import Session
    from simil.tasks.retrieval import SearchResult
    from simil.texts import Text
    from simil.vectors.stored_vectors import StoredVectors

__all__ = ["Found", "find", "without_vectors"]


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


def find(session: Session, asked: SearchRequest) -> Found:
    """Search for the queries in what was opened, by meaning.

    Saved vectors are opened before texts are embedded, as they name the model: those of queries, then others.
    Raises `UsageError` where the options do not fit what was opened.
    """
    asked.check()
    groups = _Noted(asked.queries.groups(session))
    if asked.opened.holds_stored:
        return _in_datasets(session, asked, groups)
    from simil.tasks.retrieval import search

    corpus = asked.cut.corpus(session, asked.opened)
    answers = [
        answer
        for group in groups
        for answer in search(group, corpus, top_k=asked.top_k, threshold=asked.threshold)
    ]
    return Found(answers, groups.queries(), corpus)


def _in_datasets(session: Session, asked: SearchRequest, groups: _Noted) -> Found:
    from simil.cli.commands.search_notes import report_reading
    from simil.tasks.stored_retrieval import search_stored

    stored = asked.stored
    sources = _datasets(session, asked.opened, stored)
    if not stored.exact:
        needs_all = asked.threshold is not None and asked.top_k is None
        report_reading(sources, session.dimensions, needs_all=needs_all)
    answers, corpus = search_stored(
        groups,
        sources,
        top_k=asked.top_k,
        threshold=asked.threshold,
        where=stored.where,
        exact=stored.exact,
    )
    count = sum(len(source) if isinstance(source, Corpus) else source.rows for source in sources)
    return Found(answers, groups.queries(), corpus.replaced(types=asked.field_types), count)


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
        return without_vectors(self._texts)


def without_vectors(texts: Iterable[Text]) -> Corpus:
    """Return a corpus of texts alone."""
    import numpy as np

    kept = [*texts]
    return Corpus(kept, np.empty((len(kept), 0), np.float32), None)

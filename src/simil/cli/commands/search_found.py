"""Searches what `simil search` has opened: a corpus in memory, or datasets where they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

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
    import numpy as np

    from simil.tasks.retrieval import search

    stored.check(opened)
    cut.check(opened)
    saved = queries.groups(session) if queries.are_saved else None
    searched = _datasets(session, opened, stored) if opened.holds_stored else cut.corpus(session, opened)
    texts: list[Text] = []
    groups = _noted(saved or queries.groups(session), texts)
    of_datasets = 0
    if isinstance(searched, Corpus):
        corpus = searched
        answers = [
            answer for group in groups for answer in search(group, corpus, top_k=top_k, threshold=threshold)
        ]
    else:
        from simil.cli.commands.search_notes import report_reading
        from simil.tasks.stored_retrieval import search_stored

        if not stored.exact:
            needs_all = threshold is not None and top_k is None
            report_reading(searched, session.dimensions, needs_all=needs_all)
        answers, corpus = search_stored(
            groups, searched, top_k=top_k, threshold=threshold, where=stored.where, exact=stored.exact
        )
        corpus = corpus.replaced(types=opened.column_types if cut.files.all_fields else {})
        of_datasets = sum(len(part) if isinstance(part, Corpus) else part.rows for part in searched)
    return Found(answers, Corpus(texts, np.empty((len(texts), 0), np.float32), None), corpus, of_datasets)


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


def _noted(groups: Iterable[Corpus], texts: list[Text]) -> Iterator[Corpus]:
    """Yield the groups, and add their texts to `texts`."""
    for group in groups:
        texts += group.texts
        yield group

"""Searches what `simil search` has opened by words, or by words and meaning."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from simil.cli.commands.search_found import Found
from simil.errors import UsageError
from simil.index.word_tokens import DEFAULT_LANGUAGE
from simil.tasks.corpus import Corpus

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from simil.cli.commands.search_inputs import Queries, Splitting
    from simil.cli.options.groups import StoredFlags, WordFlags
    from simil.index.stored_words import StoredWords
    from simil.session.inputs import OpenInput
    from simil.session.session import Session
    from simil.texts import Text
    from simil.vectors.stored_vectors import StoredVectors

__all__ = ["find_with_words"]


def find_with_words(
    session: Session,
    queries: Queries,
    opened: OpenInput,
    cut: Splitting,
    stored: StoredFlags,
    words: WordFlags,
    *,
    top_k: int | None,
) -> Found:
    """Search for the queries in what was opened by words alone, which needs no model, or by both.

    Raises `UsageError` where the options do not fit what was opened, `InputError` for saved vectors without
    their texts.
    """
    stored.check(opened)
    cut.check(opened)
    if opened.holds_stored:
        found = _in_dataset(session, queries, opened, stored, words, top_k)
        types = opened.column_types if cut.files.all_fields else {}
        return Found(found.answers, found.queries, found.corpus.replaced(types=types))
    if words.words:
        return _by_words(session, queries, opened, cut, words, top_k)
    return _by_both(session, queries, opened, cut, words, top_k)


def _by_words(
    session: Session,
    queries: Queries,
    opened: OpenInput,
    cut: Splitting,
    words: WordFlags,
    top_k: int | None,
) -> Found:
    from simil.tasks.word_retrieval import index_words, search_words

    asked = _query_texts(session, queries)
    if opened.holds_vectors:
        corpus = session.saved(opened.vector_files()).replaced(model=None, types=opened.column_types)
    else:
        corpus = _without_vectors(cut.texts(session, opened)).replaced(types=opened.column_types)
    index = index_words(corpus.texts, words.language or DEFAULT_LANGUAGE, progress=session.progress)
    return Found(search_words(asked, index, top_k=top_k), _without_vectors(asked), corpus)


def _by_both(
    session: Session,
    queries: Queries,
    opened: OpenInput,
    cut: Splitting,
    words: WordFlags,
    top_k: int | None,
) -> Found:
    from simil.tasks.word_retrieval import index_words, search_hybrid

    saved = queries.groups(session) if queries.are_saved else None
    corpus = cut.corpus(session, opened)
    index = index_words(corpus.texts, words.language or DEFAULT_LANGUAGE, progress=session.progress)
    groups = [*(saved or queries.groups(session))]
    answers = [answer for group in groups for answer in search_hybrid(group, corpus, index, top_k=top_k)]
    return Found(answers, _without_vectors(chain.from_iterable(group.texts for group in groups)), corpus)


def _in_dataset(
    session: Session,
    queries: Queries,
    opened: OpenInput,
    stored: StoredFlags,
    words: WordFlags,
    top_k: int | None,
) -> Found:
    from simil.tasks.stored_word_retrieval import search_stored_hybrid, search_stored_words, with_texts

    saved = queries.groups(session) if queries.are_saved else None
    dataset, index = _indexed(session, opened, stored, words)
    if words.words:
        asked = _query_texts(session, queries)
        found = search_stored_words(asked, dataset, index, top_k=top_k)
        answers, corpus = with_texts(found, dataset, None)
        return Found(answers, _without_vectors(asked), corpus)
    groups = [*(saved or queries.groups(session))]
    (group,) = groups if len(groups) == 1 else [_joined(groups)]
    found = search_stored_hybrid(group, dataset, index, top_k=top_k, where=stored.where, exact=stored.exact)
    answers, corpus = with_texts(found, dataset, dataset.model)
    return Found(answers, _without_vectors(group.texts), corpus)


def _indexed(
    session: Session, opened: OpenInput, stored: StoredFlags, words: WordFlags
) -> tuple[StoredVectors, StoredWords]:
    """Open the one dataset of an input, and its texts by their words."""
    from simil.index.stored_words import StoredWords

    if len(opened.sources) > 1:
        raise UsageError(
            "words are searched in one Lance dataset at a time: how much a word says depends on all of it",
            hint="search them in runs of their own",
        )
    (dataset,) = session.sources(opened)
    assert not isinstance(dataset, Corpus)  # See `holds_stored`.
    index = StoredWords(dataset, words.language, where=stored.where, progress=session.progress)
    return dataset, index


def _query_texts(session: Session, queries: Queries) -> Sequence[Text]:
    """Return what is searched for, of saved vectors their texts."""
    if not queries.are_saved:
        return queries.texts
    return [*chain.from_iterable(group.texts for group in queries.groups(session))]


def _without_vectors(texts: Iterable[Text]) -> Corpus:
    import numpy as np

    kept = [*texts]
    return Corpus(kept, np.empty((len(kept), 0), np.float32), None)


def _joined(groups: Sequence[Corpus]) -> Corpus:
    import numpy as np

    texts = [*chain.from_iterable(group.texts for group in groups)]
    vectors = [group.vectors for group in groups if len(group)]
    return Corpus(texts, np.concatenate(vectors) if vectors else np.empty((0, 0), np.float32), None)

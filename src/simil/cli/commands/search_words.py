"""Searches what `simil search` has opened by words, or by words and meaning."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from simil.cli.commands.search_found import Found, without_vectors
from simil.errors import UsageError
from simil.index.word_tokens import DEFAULT_LANGUAGE
from simil.tasks.corpus import Corpus, given_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simil.cli.commands.search_inputs import Queries, SearchRequest
    from simil.index.stored_words import StoredWords
    from simil.index.word_index import WordIndex
    from simil.session.session import Session
    from simil.texts import Text
    from simil.vectors.stored_vectors import StoredVectors

__all__ = ["find_with_words"]


def find_with_words(session: Session, asked: SearchRequest) -> Found:
    """Search for the queries in what was opened by words alone, which needs no model, or by both.

    Raises `UsageError` where the options do not fit what was opened, `InputError` for saved vectors without
    their texts.
    """
    asked.check()
    if asked.opened.holds_stored:
        return _in_dataset(session, asked)
    return _by_words(session, asked) if asked.words.words else _by_both(session, asked)


def _by_words(session: Session, asked: SearchRequest) -> Found:
    from simil.tasks.word_retrieval import search_words

    opened = asked.opened
    queries = _query_texts(session, asked.queries)
    if opened.holds_vectors:
        corpus = session.saved(opened.vector_files()).replaced(model=None)
    else:
        corpus = without_vectors(asked.cut.texts(session, opened))
    answers = search_words(queries, _words_of(corpus, session, asked), top_k=asked.top_k)
    return Found(answers, without_vectors(queries), corpus.replaced(types=opened.column_types))


def _by_both(session: Session, asked: SearchRequest) -> Found:
    from simil.tasks.word_retrieval import search_hybrid

    groups = asked.queries.groups(session)
    corpus = asked.cut.corpus(session, asked.opened)
    index = _words_of(corpus, session, asked)
    queries = _joined([*groups])
    answers = search_hybrid(queries, corpus, index, top_k=asked.top_k)
    return Found(answers, without_vectors(queries.texts), corpus)


def _words_of(corpus: Corpus, session: Session, asked: SearchRequest) -> WordIndex:
    from simil.tasks.word_retrieval import index_words

    return index_words(corpus.texts, asked.words.language or DEFAULT_LANGUAGE, progress=session.progress)


def _in_dataset(session: Session, asked: SearchRequest) -> Found:
    from simil.tasks.stored_word_retrieval import search_stored_hybrid, search_stored_words, with_texts

    stored, top_k = asked.stored, asked.top_k
    if asked.words.words:
        queries, model = _query_texts(session, asked.queries), None
        dataset, index = _indexed(session, asked)
        found = search_stored_words(queries, dataset, index, top_k=top_k)
    else:
        groups = asked.queries.groups(session)
        dataset, index = _indexed(session, asked)
        joined = _joined([*groups])
        found = search_stored_hybrid(
            joined, dataset, index, top_k=top_k, where=stored.where, exact=stored.exact
        )
        queries, model = joined.texts, dataset.model
    answers, corpus = with_texts(found, dataset, model)
    return Found(answers, without_vectors(queries), corpus.replaced(types=asked.field_types))


def _indexed(session: Session, asked: SearchRequest) -> tuple[StoredVectors, StoredWords]:
    """Open the one dataset of an input, and its texts by their words."""
    from simil.index.stored_words import StoredWords

    if len(asked.opened.sources) > 1:
        raise UsageError(
            "words are searched in one Lance dataset at a time: how much a word says depends on all of it",
            hint="search them in runs of their own",
        )
    (dataset,) = session.sources(asked.opened)
    assert not isinstance(dataset, Corpus)  # See `holds_stored`.
    where = asked.stored.where
    return dataset, StoredWords(dataset, asked.words.language, where=where, progress=session.progress)


def _query_texts(session: Session, queries: Queries) -> Sequence[Text]:
    """Return what is searched for, of saved vectors their texts."""
    return _texts_of([*queries.groups(session)]) if queries.are_saved else queries.texts


def _joined(groups: Sequence[Corpus]) -> Corpus:
    import numpy as np

    texts = _texts_of(groups)
    if len(groups) == 1:
        return groups[0]
    vectors = [group.vectors for group in groups if len(group)]
    return Corpus(texts, np.concatenate(vectors) if vectors else np.empty((0, 0), np.float32), None)


def _texts_of(groups: Sequence[Corpus]) -> list[Text]:
    """Return the texts of all groups; raises `InputError` for a vector that was saved without its text."""
    texts = [*chain.from_iterable(group.texts for group in groups)]
    for text in texts:
        given_text(text, "a search by words")
    return texts

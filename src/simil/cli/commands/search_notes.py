"""Notes of `simil search` on stderr: what was not found, and what was left unlooked at."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simil.tasks.corpus import Corpus
    from simil.tasks.retrieval import SearchResult
    from simil.vectors.stored_vectors import StoredVectors

__all__ = ["report_limit", "report_misses", "report_reading"]

log = logging.getLogger("simil")


def report_limit(answers: Sequence[SearchResult], searched: int, threshold: float, candidates: int) -> None:
    """Warn that a query has as many results as candidates, where all that reach the threshold are wanted."""
    if any(len(answer.rows) == candidates < searched for answer in answers):
        log.warning(
            "only the %d nearest texts were reranked, and more may reach %g; --candidates N takes more",
            candidates,
            threshold,
        )


def report_misses(
    answers: Sequence[SearchResult], queries: int, corpus: Corpus, threshold: float | None, where: str | None
) -> None:
    """Warn of queries that nothing was found for, and of the nearest text."""
    from simil.cli.output.cells import fit
    from simil.tasks.retrieval import SearchBy

    if not answers:
        nothing = "there is nothing to search" if where is None else f"no row meets --where {where!r}"
        log.warning("%s", nothing if queries else "there is no query")
        return
    missed = [answer for answer in answers if not len(answer.rows)]
    if not missed:
        return
    if missed[0].by is SearchBy.WORDS:
        log.warning("%s", _wordless(missed, len(answers), where))
        return
    closest = max(missed, key=lambda answer: answer.nearest_score)
    what = (
        "nothing reaches"
        if len(missed) == len(answers)
        else f"{len(missed)} of {len(answers)} queries find nothing at"
    )
    text = fit(corpus.content(closest.nearest), 60).rstrip()
    log.warning(
        "%s %g; the nearest is %.6f at %s: %s",
        what, threshold, closest.nearest_score, corpus.place(closest.nearest), text,
    )  # fmt: skip


def _wordless(missed: Sequence[SearchResult], queries: int, where: str | None) -> str:
    from simil.index.word_tokens import split_words

    if queries > 1:
        return f"{len(missed)} of {queries} queries have no word that is in a text"
    if not split_words(missed[0].query):
        return "the query has no word, only signs, and --words finds none of these; leave it out"
    text = "text" if where is None else f"text that meets --where {where!r}"
    return f"no {text} has a word of the query"


def report_reading(
    sources: Sequence[Corpus | StoredVectors], dimensions: int | None, *, needs_all: bool
) -> None:
    """Warn that all vectors of a dataset with an index are read: for a threshold, or fewer `dimensions`."""
    from simil.index.nearest import has_useful_index
    from simil.tasks.corpus import Corpus

    for source in sources:
        if isinstance(source, Corpus) or not has_useful_index(source):
            continue
        if needs_all:
            log.warning(
                "%s: --threshold without -k reads all vectors; with -k N the index is used", source.name
            )
        elif dimensions not in (None, source.dimensions):
            whole = source.dimensions
            log.warning(
                "%s: --dimensions reads all vectors; the index is of %d dimensions", source.name, whole
            )

"""Notes of `simil search` on stderr: what was not found, and what was left unlooked at."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simil.cli.commands.search_found import Found
    from simil.tasks.corpus import Corpus
    from simil.tasks.retrieval import SearchResult

__all__ = ["report_limit", "report_misses"]

log = logging.getLogger("simil")


def report_limit(answers: Sequence[SearchResult], corpus: Corpus, threshold: float, candidates: int) -> None:
    """Warn that a query has as many results as candidates, where all that reach the threshold are wanted."""
    if any(len(answer.rows) == candidates < len(corpus) for answer in answers):
        log.warning(
            "only the %d nearest texts were reranked, and more may reach %g; --candidates N takes more",
            candidates,
            threshold,
        )


def report_misses(found: Found, threshold: float | None, where: str | None) -> None:
    """Warn of queries that nothing was found for, and of the nearest text."""
    from simil.cli.output.cells import fit
    from simil.tasks.retrieval import SearchBy

    answers, corpus = found.answers, found.corpus
    if not answers:
        nothing = "there is nothing to search" if where is None else f"no row meets --where {where!r}"
        log.warning("%s", nothing if len(found.queries) else "there is no query")
        return
    missed = [answer for answer in answers if not len(answer.rows)]
    if not missed:
        return
    if missed[0].by is SearchBy.WORDS:
        nothing = (
            "no text has a word of the query"
            if len(missed) == len(answers) == 1
            else (f"{len(missed)} of {len(answers)} queries have no word that is in a text")
        )
        log.warning("%s", nothing)
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

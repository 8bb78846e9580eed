"""What is said on stderr of work on datasets that are larger than memory."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from simil.errors import UsageError

if TYPE_CHECKING:
    from simil.tasks.stored_corpus import CorpusInBlocks

__all__ = ["check_no_plot", "report_crowded", "report_passes"]

log = logging.getLogger("simil")


def report_passes(*sides: CorpusInBlocks) -> None:
    """Say how the rows of datasets that are larger than memory are compared."""
    from simil.tasks.near_pairs import measured_recall
    from simil.tasks.stored_corpus import StoredCorpus

    for corpus in sides:
        if not isinstance(corpus, StoredCorpus):
            continue
        name, count = corpus.stored.name, len(corpus)
        if corpus.has_index:
            log.warning(
                "%s is larger than memory: its %s rows are compared with candidates of its index, which finds "
                "%.1f %% of the nearest rows",
                name,
                f"{count:,}",
                100 * measured_recall(corpus),
            )
        else:
            log.warning(
                "%s is larger than memory and has no index: its %s rows are read again and again, and all are "
                "compared",
                name,
                f"{count:,}",
            )


def report_crowded(rows: int) -> None:
    """Say how many rows had more near ones than candidates."""
    if rows:
        log.warning(
            "%s more near ones than the candidates that they were compared with; a higher --threshold misses "
            "none",
            "1 row has" if rows == 1 else f"{rows:,} rows have",
        )


def check_no_plot(plot: str | None) -> None:
    """Raise `UsageError` for a plot of vectors that are not in memory."""
    if plot is not None:
        raise UsageError("--plot needs all vectors in memory", hint="leave it out, or plot a sample of them")

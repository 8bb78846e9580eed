"""What is said on stderr of work on datasets that are larger than memory."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from simil.errors import UsageError

if TYPE_CHECKING:
    from simil.tasks.stored_corpus import CorpusInBlocks

__all__ = ["check_no_plot", "report_comparison", "report_crowded"]

log = logging.getLogger("simil")

_MEASURED = 10  # neighbours


def report_comparison(corpus: CorpusInBlocks, *, searched: bool = True) -> None:
    """Say how texts of a corpus are compared, if it is larger than memory.

    Those of one that is not `searched` are looked for in another.
    """
    from simil.index.recall import measure_recall
    from simil.tasks.stored_corpus import StoredCorpus

    if not isinstance(corpus, StoredCorpus):
        return
    name, count = corpus.stored.name, f"{len(corpus):,}"
    if searched and corpus.has_index:
        log.warning(
            "%s (%s texts) is larger than memory: compared by candidates of its index, which finds %.1f %% "
            "of the %d nearest texts",
            name,
            count,
            100 * measure_recall(corpus.stored, _MEASURED).recall,
            _MEASURED,
        )
    else:
        log.warning("%s (%s texts) is larger than memory: compared block by block", name, count)


def report_crowded(rows: int) -> None:
    """Say how many rows had more near ones than candidates."""
    if rows:
        log.warning(
            "%s more near ones than candidates of the index, so some may be missed; a higher --threshold "
            "misses fewer",
            "1 text has" if rows == 1 else f"{rows:,} texts have",
        )


def check_no_plot(plot: str | None) -> None:
    """Raise `UsageError` for a plot of vectors that are not in memory."""
    if plot is not None:
        raise UsageError("--plot needs all vectors in memory", hint="leave it out, or plot a sample of them")

"""Notes on stderr at the end of a run: texts that were skipped, cut, unknown or failed, and use of an API."""

from __future__ import annotations

import logging
import sys
import threading
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from simil.errors import BrokenDocument, InputError, PartlyDone, Place, UsageError
from simil.frozen import Frozen

if TYPE_CHECKING:
    from simil.embedders.base import Embedder
    from simil.embedders.usage import Usage
    from simil.scorers.base import Scorer
    from simil.texts.trees import LeftOut

__all__ = ["LeftOutFiles", "Notes", "dollars", "report_usage"]

log = logging.getLogger("simil")


class _Elsewhere(Frozen):
    """The model of other processes, and how many texts it has cut."""

    stamp: str = ""
    truncated: int = 0


class Notes:
    """Counts blank texts and unknown ones, reports failed ones, and sums up.

    Attributes:
        policy: what happens to texts that fail: "fail", "skip" or "null".
        expects_blank: whether blank texts are no news, as in files of folders.
    """

    def __init__(self, on_error: str = "fail", *, nulls: bool = False) -> None:
        """Take the value of `--on-error`; `nulls` is whether the output can hold failed texts."""
        if on_error not in ("fail", "skip", "null"):
            allowed = "fail, skip or null" if nulls else "fail or skip"
            raise UsageError(f"--on-error cannot be {on_error!r}", hint=f"choose {allowed}")
        if on_error == "null" and not nulls:
            raise UsageError("--on-error null is for embed and compare --pairs", hint="use --on-error skip")
        self.policy = on_error
        self.expects_blank = False
        self._blank = 0
        self._first_blank: Place | None = None
        self._unknown = 0
        self._first_unknown: Place | None = None
        self._failed = 0
        self._elsewhere = _Elsewhere()
        # Texts are read in one thread and embedded in another.
        self._lock = threading.Lock()

    def blank(self, place: Place) -> None:
        """Count a blank text."""
        self._blank += 1
        self._first_blank = self._first_blank or place

    def unknown(self, place: Place) -> None:
        """Count a text of which the model knows nothing."""
        self._unknown += 1
        self._first_unknown = self._first_unknown or place

    @property
    def on_error(self) -> Callable[[InputError], None] | None:
        """The callback for failed texts, None if the first of them ends the run."""
        return None if self.policy == "fail" else self._fail

    @property
    def keeps_failed(self) -> bool:
        """Whether a failed text keeps its place in the output."""
        return self.policy == "null"

    def count(
        self,
        stamp: str,
        *,
        blank: int = 0,
        first_blank: Place | None = None,
        unknown: int = 0,
        first_unknown: Place | None = None,
        truncated: int = 0,
        failed: int = 0,
    ) -> None:
        """Count texts that another process has embedded, with the model `stamp`, and has counted."""
        self._blank += blank
        self._first_blank = self._first_blank or first_blank
        self._unknown += unknown
        self._first_unknown = self._first_unknown or first_unknown
        self._failed += failed
        self._elsewhere = _Elsewhere(stamp, self._elsewhere.truncated + truncated)

    def finish(self, embedder: Embedder | None, scorer: Scorer | None = None, *, warn_of_cut: bool) -> None:
        """Report what was left out; raises `PartlyDone` if texts failed."""
        cut = embedder or self._elsewhere
        if self._blank:
            kept = ("is null" if self._blank == 1 else "are null") if self.keeps_failed else "skipped"
            level = logging.INFO if self.expects_blank else logging.WARNING
            log.log(level, "%s %s (first: %s)", _count(self._blank, "blank text"), kept, self._first_blank)
        if cut.truncated and warn_of_cut:
            log.warning(
                "%s longer than %s reads, and cut; --overflow chunk embeds the whole text",
                "1 text is" if cut.truncated == 1 else f"{cut.truncated} texts are",
                cut.stamp,
            )
        if scorer is not None and scorer.truncated and warn_of_cut:
            one = scorer.truncated == 1
            log.warning(
                "%s longer than %s reads, and cut",
                "1 pair of texts is" if one else f"{scorer.truncated:,} pairs of texts are",
                scorer.stamp,
            )
        if cut.stamp and self._unknown:
            log.warning(
                "%s no word that %s knows, and %s nothing (first: %s)",
                "1 text has" if self._unknown == 1 else f"{self._unknown} texts have",
                cut.stamp,
                "its scores mean" if self._unknown == 1 else "their scores mean",
                self._first_unknown,
            )
        if self._failed:
            one = self._failed == 1
            end = "null" if self.keeps_failed else "left out"
            verb = ("is" if one else "are") if self.keeps_failed else ("was" if one else "were")
            raise PartlyDone(f"{_count(self._failed, 'text')} failed and {verb} {end}", hint="see above")

    def _fail(self, error: InputError) -> None:
        with self._lock:
            self._failed += 1
        log.error("%s", error)


class LeftOutFiles:
    """Counts the files of folders that are left out, and names each with -v."""

    def __init__(self, encoding: str | None) -> None:
        """Take the encoding that the user names."""
        self._encoding = encoding or "UTF-8"
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def add(self, path: str, reason: LeftOut) -> None:
        """Count a file that is left out for `reason`."""
        from simil.texts.trees import LeftOut

        why = f"not {self._encoding} text" if reason is LeftOut.UNDECODED else str(reason)
        self._counts[why] += 1
        log.info("%s left out: %s", path, why)

    def add_broken(self, error: BrokenDocument) -> None:
        """Count a document that cannot be converted."""
        from simil.texts.trees import LeftOut

        with self._lock:
            self._counts[str(LeftOut.BROKEN)] += 1
        log.info("%s", error)

    def report(self) -> None:
        """Report how many files were left out and why, in one line."""
        counted = self._counts.most_common()
        if not counted:
            return
        reasons = ", ".join(f"{count} {why}" for why, count in counted) if counted[1:] else counted[0][0]
        hints = [] if log.isEnabledFor(logging.INFO) else ["-v names them"]
        if "not UTF-8 text" in self._counts:
            hints.append("--encoding reads other text")
        hint = f" ({'; '.join(hints)})" if hints else ""
        log.warning("%s left out: %s%s", _count(self._counts.total(), "file"), reasons, hint)


def report_usage(usage: Usage | None) -> None:
    """Report the use of an API: on a terminal, or with -v; it would be noise in a script."""
    if usage is not None and usage.requests:
        log.log(logging.WARNING if sys.stderr.isatty() else logging.INFO, "%s", _report(usage))


def dollars(amount: float) -> str:
    """Return an amount in dollars with two significant digits, or cents from 10 cents on."""
    if 0 < amount < 0.0001:
        return "under $0.0001"
    return f"${amount:.2g}" if 0 < amount < 0.1 else f"${amount:,.2f}"


def _report(usage: Usage) -> str:
    again = f" ({usage.retries:,} again)" if usage.retries else ""
    tokens = "tokens not reported" if usage.answers_without_tokens else f"{usage.tokens:,} tokens"
    parts = [f"{usage.requests:,} request{'s' * (usage.requests != 1)}{again}", tokens]
    if usage.cost is not None:
        parts.append(dollars(usage.cost))
    return f"{usage.host}: {', '.join([*parts, f'{usage.seconds:.1f} s'])}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"

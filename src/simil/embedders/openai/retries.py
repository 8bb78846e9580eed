"""What a failed request means for the next ones: whether to send it again, and when."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime

from simil.embedders.openai.protocol import Reply
from simil.errors import ProviderError, SimilError

__all__ = ["Blame", "RequestFailed", "Retries", "may_be_retried", "retry_after"]

# A longer wait is the user's decision.
LONGEST_WAIT_S = 120.0
# How long one request may take, all tries included.
LONGEST_REQUEST_S = 300.0

_FIRST_WAIT_S, _LAST_WAIT_S = 0.5, 8.0
_SPREAD = 0.25
_RETRIABLE = frozenset({408, 409, 429})


@dataclass(frozen=True, slots=True)
class Blame:
    """A request was refused because of its texts.

    `is_size` means too much at once rather than one bad text, and `most_inputs` is how many texts the
    server accepts; `is_length` means that one text is too long, `limit` is how many tokens the server
    accepts, and `tokens` how many it counted; `is_answered` that the server did answer, but with no right
    vector for any text. Each number is None unless the server named it.
    """

    is_size: bool = False
    most_inputs: int | None = None
    is_length: bool = False
    limit: int | None = None
    tokens: int | None = None
    is_answered: bool = False


@dataclass(eq=False)
class RequestFailed(Exception):
    """A request brought no vectors.

    `error` is what the user sees if the failure is final. `may_be_retried` says whether another try may
    succeed, `retry_after` after how many seconds the server wants it; `is_limit` that the server limits
    the rate of all requests; `blame` that the texts are at fault. `headers` are those of the answer.
    `is_late` says that no answer came in time, `is_too_large` that a request of fewer texts may pass, and
    `is_down` that nobody was there who could have begun to compute.
    """

    error: BaseException
    may_be_retried: bool = False
    retry_after: float | None = None
    is_limit: bool = False
    blame: Blame | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    is_late: bool = False
    is_too_large: bool = False
    is_down: bool = False

    @property
    def message(self) -> str:
        """What failed, without the hint."""
        return self.error.message if isinstance(self.error, SimilError) else str(self.error)

    def final_error(self, tries: int) -> BaseException:
        """Return the error to raise after `tries` tries; it names their number."""
        if isinstance(self.error, ProviderError):
            self.error.blames_texts = self.blame is not None
        if isinstance(self.error, SimilError) and tries > 1:
            self.error.message += f", after {tries} tries"
        return self.error


@dataclass(frozen=True, slots=True)
class Retries:
    """The rule for sending failed requests again, each at most `most` times."""

    most: int = 5

    def wait(
        self, tries: int, asked: float | None, spread: float, spent: float, *, absences: int = 0
    ) -> float | None:
        """Return the seconds before a request that failed `tries` times is sent again, or None to give up.

        `asked` is the wait that the server asks for, `spread` a random number in [0, 1), and `spent` the
        seconds since the request was first sent. If the server asks for none, the wait doubles each time,
        less up to a quarter, so that requests that failed together do not come back together. Tries
        that met no server, the `absences`, do not count: it is waited for as long as a request may take.
        """
        if tries - absences > self.most:
            return None
        if asked is None:
            asked = min(_FIRST_WAIT_S * 2 ** min(tries - 1, 8), _LAST_WAIT_S) * (1 - _SPREAD * spread)
        if asked > LONGEST_WAIT_S or spent + asked > LONGEST_REQUEST_S:
            return None
        return asked


def may_be_retried(reply: Reply, *, spent_quota: bool) -> bool:
    """Return whether the same request may succeed later; `x-should-retry` of the server decides first."""
    wish = reply.headers.get("x-should-retry", "").strip().lower()
    if spent_quota or wish == "false":
        return False
    return wish == "true" or reply.status in _RETRIABLE or reply.status >= 500


def retry_after(headers: Mapping[str, str], date: float) -> float | None:
    """Return the seconds that the server asks to wait; None if it names no time in the future.

    `date` is now, in seconds since 1970, for a server that names a date (RFC 9110, section 10.2.3).
    """
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = headers.get(name, "").strip()
        if re.fullmatch(r"[0-9]{1,12}(\.[0-9]*)?", value):
            seconds = float(value) * unit
        elif name == "retry-after" and value:
            try:
                asked = parsedate_to_datetime(value)
                # A date without a zone is in GMT, as all dates of HTTP are.
                seconds = (asked if asked.tzinfo else asked.replace(tzinfo=UTC)).timestamp() - date
            except (ValueError, OverflowError):
                continue
        else:
            continue
        if seconds > 0:
            return seconds
    return None

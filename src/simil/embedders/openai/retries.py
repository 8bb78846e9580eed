"""What a failed request means for those that follow: which are sent again, and after which time."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime

from simil.embedders.openai.protocol import Reply
from simil.errors import SimilError

__all__ = ["Blame", "Failed", "Retries", "asked_wait", "may_be_retried"]

# A longer wait is for the user to decide.
LONGEST_WAIT_S = 120.0
# What one request may take with all its tries.
LONGEST_REQUEST_S = 300.0

_FIRST_WAIT_S, _LAST_WAIT_S = 0.5, 8.0
_SPREAD = 0.25
_AGAIN = frozenset({408, 409, 429})


@dataclass(frozen=True, slots=True)
class Blame:
    """That a request was refused for what was in it.

    `is_size` says that it was too much at once rather than one bad text, `most_inputs` how many texts the
    server takes, where it says so; `is_length` that one of the texts is too long, `limit` how many tokens
    the server takes and `tokens` how many it counts, where it says so.
    """

    is_size: bool = False
    most_inputs: int | None = None
    is_length: bool = False
    limit: int | None = None
    tokens: int | None = None


@dataclass(eq=False)
class Failed(Exception):
    """A request without vectors.

    `error` is what to tell the user if that is final; `may_be_retried` says whether another time may go
    better, `asked_wait` after how many seconds the server wants it, `is_limit` that it limits the rate of
    all requests; `blame` that the request's own texts are at fault. `headers` are those of the answer.
    """

    error: BaseException
    may_be_retried: bool = False
    asked_wait: float | None = None
    is_limit: bool = False
    blame: Blame | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def what(self) -> str:
        """What failed, without what to do about it."""
        return self.error.message if isinstance(self.error, SimilError) else str(self.error)

    def finally_after(self, tries: int) -> BaseException:
        """Return the error to raise, which says how often it was tried."""
        if isinstance(self.error, SimilError) and tries > 1:
            self.error.message += f", after {tries} tries"
        return self.error


@dataclass(frozen=True, slots=True)
class Retries:
    """How often a request is sent again at most."""

    most: int = 5

    def wait(self, tries: int, asked: float | None, spread: float, spent: float) -> float | None:
        """Return the seconds before a request is sent again that failed `tries` times; None for never again.

        `asked` is what the server asks for, `spread` a random number in [0, 1), `spent` the seconds since
        the request was first sent. Without a wish of the server it is twice as long each time, less up to
        a quarter, so that those who failed together do not come back together.
        """
        if tries > self.most:
            return None
        if asked is None:
            asked = min(_FIRST_WAIT_S * 2 ** (tries - 1), _LAST_WAIT_S) * (1 - _SPREAD * spread)
        if asked > LONGEST_WAIT_S or spent + asked > LONGEST_REQUEST_S:
            return None
        return asked


def may_be_retried(reply: Reply, *, spent_quota: bool) -> bool:
    """Return whether the same request may go better another time; the server knows best."""
    wish = reply.headers.get("x-should-retry", "").strip().lower()
    if spent_quota or wish == "false":
        return False
    return wish == "true" or reply.status in _AGAIN or reply.status >= 500


def asked_wait(headers: Mapping[str, str], date: float) -> float | None:
    """Return the seconds that a server asks to wait, or None where it names no time to come.

    `date` is the time in seconds since 1970, for a server that names one (RFC 9110, section 10.2.3).
    """
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = headers.get(name, "").strip()
        if re.fullmatch(r"[0-9]{1,12}(\.[0-9]*)?", value):
            seconds = float(value) * unit
        elif name == "retry-after" and value:
            try:
                asked = parsedate_to_datetime(value)
                # Without a zone it is Greenwich's, as all dates of HTTP are.
                seconds = (asked if asked.tzinfo else asked.replace(tzinfo=UTC)).timestamp() - date
            except (ValueError, OverflowError):
                continue
        else:
            continue
        if seconds > 0:
            return seconds
    return None

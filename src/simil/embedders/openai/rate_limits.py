"""When the next request may go, by what the server's rate headers say: slower before a 429, not after it.

Servers count in different ways (a bucket that refills all the time, a window of a minute, a log of
the last minute), and all of them say what remains and after which time everything is there again. So
nothing is counted on that no header has shown: what remains may be spent, and no more until that time.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Pacer", "Permit"]

# The limits are per minute; a server that does not say when it resets will have done so by then.
_WINDOW_S = 60.0
# Resets are told in round numbers.
_ROUNDING_S = 0.02
# Less than this share of a limit is not worth a request of its own.
_CRUMB = 0.05
_DURATION = re.compile(
    r"(?:([\d.]{1,12})d)?(?:([\d.]{1,12})h)?(?:([\d.]{1,12})m(?!s))?(?:([\d.]{1,12})s)?(?:([\d.]{1,12})ms)?"
)
_UNITS_S = (86_400.0, 3_600.0, 60.0, 1.0, 0.001)


@dataclass(frozen=True, eq=False, slots=True)
class Permit:
    """Leave for one request, of so many tokens as the server counts them; `order` is when it was given.

    Orders are counted, not timed: of two events at one moment it must be known which was first.
    """

    tokens: float
    order: int


class Pacer:
    """Gives leave for requests; not for several threads at once, its owner holds a lock."""

    def __init__(self) -> None:
        self._requests = _Allowance("requests")
        self._tokens = _Allowance("tokens")
        self._paused_until = -math.inf
        self._events = 0
        self.is_informed = False

    def room(self, now: float) -> float:
        """Return how many tokens a request may have now: 0 for none, infinite where nothing limits them."""
        if now < self._paused_until:
            return 0.0
        if self._requests.room(now) < 1 and not self._requests.is_whole(now):
            return 0.0
        room = self._tokens.room(now)
        if not self._tokens.is_whole(now) and room < self._tokens.crumb:
            return 0.0
        return room

    def is_whole(self, now: float) -> bool:
        """Return whether all that there can be is there: waiting would not make room."""
        return now >= self._paused_until and self._tokens.is_whole(now)

    def wait(self, now: float) -> float | None:
        """Return the seconds until there is more room; None where only an answer under way can bring it."""
        if now < self._paused_until:
            wait = self._paused_until - now
        elif self._requests.room(now) < 1:
            wait = self._requests.full_at - now
        else:
            wait = self._tokens.full_at - now
        return wait if wait > 0 else None

    def reserve(self, tokens: float) -> Permit:
        """Return the permit of a request that is sent now."""
        self._events += 1
        permit = Permit(tokens, self._events)
        self._requests.reserved += 1
        self._tokens.reserved += tokens
        return permit

    def learn(self, permit: Permit, headers: Mapping[str, str], now: float) -> None:
        """Take in what the answer to a request says of the limits."""
        self.is_informed = True
        self._end(permit, headers, now)

    def forget(self, permit: Permit, now: float) -> None:
        """Take in that a request got no answer; it may have been counted."""
        self._end(permit, {}, now)

    def pause(self, until: float) -> None:
        """Let nothing go before `until`, as the server asks for."""
        self._paused_until = max(self._paused_until, until)

    def _end(self, permit: Permit, headers: Mapping[str, str], now: float) -> None:
        self._events += 1
        self._requests.reserved -= 1
        self._tokens.reserved -= permit.tokens
        if self._requests.reserved == 0:
            self._tokens.reserved = 0.0  # No rounding is left over.
        self._requests.learn(headers, permit.order, self._events, now, cost=1)
        self._tokens.learn(headers, permit.order, self._events, now, cost=permit.tokens)


class _Allowance:
    """What the server still grants of one thing, requests or tokens."""

    def __init__(self, thing: str) -> None:
        self._thing = thing
        self._limit = math.inf
        self._remaining = math.inf
        self._told = 0
        self.full_at = -math.inf
        self.reserved = 0.0

    @property
    def crumb(self) -> float:
        return 0.0 if math.isinf(self._limit) else _CRUMB * self._limit

    def room(self, now: float) -> float:
        return (self._limit if now >= self.full_at else self._remaining) - self.reserved

    def is_whole(self, now: float) -> bool:
        return now >= self.full_at and self.reserved == 0

    def learn(self, headers: Mapping[str, str], sent: int, told: int, now: float, *, cost: float) -> None:
        """Take in the headers of an answer; without any, the request took `cost`.

        `sent` and `told` are when, in order, the request was sent and its answer came.
        """
        limit = _number(headers.get(f"x-ratelimit-limit-{self._thing}"))
        remaining = _number(headers.get(f"x-ratelimit-remaining-{self._thing}"))
        self._limit = limit or self._limit
        if remaining is None:
            self._remaining -= cost
            return
        reset = _seconds(headers.get(f"x-ratelimit-reset-{self._thing}"))
        full_at = now + (_WINDOW_S if reset is None else reset + _ROUNDING_S)
        if sent > self._told or now >= self.full_at:
            self._remaining, self.full_at = remaining, full_at
        else:
            # Two requests were under way at once: of two numbers the lower is the later one.
            self._remaining = min(self._remaining, remaining)
            self.full_at = max(self.full_at, full_at)
        self._told = told


def _number(value: str | None) -> float | None:
    return float(value) if value and re.fullmatch(r"[0-9]{1,15}(\.[0-9]*)?", value.strip()) else None


def _seconds(value: str | None) -> float | None:
    """Return a duration like `1s`, `6m0s`, `26ms` or a bare number of seconds; None for anything else."""
    text = (value or "").strip()
    if (bare := _number(text)) is not None:
        return bare
    found = _DURATION.fullmatch(text)
    if not text or found is None:
        return None
    try:
        return sum(float(part) * unit for part, unit in zip(found.groups(), _UNITS_S, strict=True) if part)
    except ValueError:  # `1.2.3s`
        return None

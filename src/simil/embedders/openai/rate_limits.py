"""When the next request may be sent, by the server's rate limit headers: slow down before a 429, not after.

Servers count in different ways (a bucket that refills continuously, a window of a minute, a log of the
last minute), but all of them report what remains and when the full limit is restored. So only what a
header has granted is spent: the remainder, and nothing more until that time.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["RateLimits", "Reservation"]

# Limits are per minute; a server that names no reset will have reset by then.
_WINDOW_S = 60.0
# Reset times are rounded.
_ROUNDING_S = 0.02
# Less than this share of a limit is not worth a request.
_LEAST_SHARE = 0.05
_DURATION = re.compile(
    r"(?:([\d.]{1,12})d)?(?:([\d.]{1,12})h)?(?:([\d.]{1,12})m(?!s))?(?:([\d.]{1,12})s)?(?:([\d.]{1,12})ms)?"
)
_UNITS_S = (86_400.0, 3_600.0, 60.0, 1.0, 0.001)


@dataclass(frozen=True, eq=False, slots=True)
class Reservation:
    """Room for one request of `tokens`, as the server counts them.

    `order` numbers the events: of two at the same moment it must be known which came first.
    """

    tokens: float
    order: int


class RateLimits:
    """Says when and how large the next request may be; not thread-safe, its owner holds a lock.

    `is_informed` says whether any answer has come yet.
    """

    def __init__(self) -> None:
        self._requests = _Allowance("requests")
        self._tokens = _Allowance("tokens")
        self._paused_until = -math.inf
        self._events = 0
        self.is_informed = False

    def room(self, now: float) -> float:
        """Return how many tokens a request may have now: 0 for no request, infinite if there is no limit."""
        if now < self._paused_until:
            return 0.0
        if self._requests.room(now) < 1 and not self._requests.is_full(now):
            return 0.0
        room = self._tokens.room(now)
        if not self._tokens.is_full(now) and room < self._tokens.least:
            return 0.0
        return room

    def is_full(self, now: float) -> bool:
        """Return whether all tokens of the limit are available, so that waiting would not make room."""
        return now >= self._paused_until and self._tokens.is_full(now)

    def wait(self, now: float) -> float | None:
        """Return the seconds until there is more room; None if only an answer still to come can make it."""
        if now < self._paused_until:
            wait = self._paused_until - now
        elif self._requests.room(now) < 1:
            wait = self._requests.full_at - now
        else:
            wait = self._tokens.full_at - now
        return wait if wait > 0 else None

    def reserve(self, tokens: float) -> Reservation:
        """Return the reservation of a request that is sent now."""
        self._events += 1
        self._requests.reserved += 1
        self._tokens.reserved += tokens
        return Reservation(tokens, self._events)

    def learn(self, reservation: Reservation, headers: Mapping[str, str], now: float) -> None:
        """Update the limits from the headers of an answer."""
        self.is_informed = True
        self._end(reservation, headers, now)

    def release(self, reservation: Reservation, now: float) -> None:
        """End a request that got no answer; the server may have counted it."""
        self._end(reservation, {}, now)

    def pause(self, until: float) -> None:
        """Leave no room before `until`, as the server asks."""
        self._paused_until = max(self._paused_until, until)

    def _end(self, reservation: Reservation, headers: Mapping[str, str], now: float) -> None:
        self._events += 1
        self._requests.reserved -= 1
        self._tokens.reserved -= reservation.tokens
        if self._requests.reserved == 0:
            self._tokens.reserved = 0.0  # Drop any rounding error.
        self._requests.learn(headers, reservation.order, self._events, now, cost=1)
        self._tokens.learn(headers, reservation.order, self._events, now, cost=reservation.tokens)


class _Allowance:
    """What the server still grants of one resource: `requests` or `tokens`."""

    def __init__(self, resource: str) -> None:
        self._resource = resource
        self._limit = math.inf
        self._remaining = math.inf
        self._answered = 0
        self.full_at = -math.inf
        self.reserved = 0.0

    @property
    def least(self) -> float:
        return 0.0 if math.isinf(self._limit) else _LEAST_SHARE * self._limit

    def room(self, now: float) -> float:
        return (self._limit if now >= self.full_at else self._remaining) - self.reserved

    def is_full(self, now: float) -> bool:
        return now >= self.full_at and self.reserved == 0

    def learn(self, headers: Mapping[str, str], sent: int, answered: int, now: float, *, cost: float) -> None:
        """Update from the headers of an answer; without any, the request took `cost`.

        `sent` and `answered` are the order numbers of the request and of its answer.
        """
        limit = _number(headers.get(f"x-ratelimit-limit-{self._resource}"))
        remaining = _number(headers.get(f"x-ratelimit-remaining-{self._resource}"))
        self._limit = limit or self._limit
        if remaining is None:
            self._remaining -= cost
            return
        reset = _seconds(headers.get(f"x-ratelimit-reset-{self._resource}"))
        full_at = now + (_WINDOW_S if reset is None else reset + _ROUNDING_S)
        if sent > self._answered or now >= self.full_at:
            self._remaining, self.full_at = remaining, full_at
        else:
            # Two requests were in flight at once: the lower of two numbers is the later one.
            self._remaining = min(self._remaining, remaining)
            self.full_at = max(self.full_at, full_at)
        self._answered = answered


def _number(value: str | None) -> float | None:
    return float(value) if value and re.fullmatch(r"[0-9]{1,15}(\.[0-9]*)?", value.strip()) else None


def _seconds(value: str | None) -> float | None:
    """Return the seconds in a duration like `1s`, `6m0s`, `26ms` or `12`; None for anything else."""
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

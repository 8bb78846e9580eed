"""The rate limits of the embeddings server of the tests, and how it tells of them.

OpenAI's limits refill all the time; others count in windows of a minute, or what came in the last one.
"""

from __future__ import annotations

import math
from collections import deque

__all__ = ["MODELS", "Bucket", "Limit", "Log", "Rates", "Window", "duration"]

_MINUTE_S = 60.0


class Limit:
    """How much there may be within a minute; times are in seconds."""

    def __init__(self, limit: float) -> None:
        self.limit = limit

    def remaining(self, now: float) -> float:
        """Return how much is left."""
        raise NotImplementedError

    def reset(self, now: float) -> float:
        """Return the seconds until everything is there again."""
        raise NotImplementedError

    def until(self, now: float, amount: float) -> float:
        """Return the seconds until so much is there, which is not more than the limit."""
        raise NotImplementedError

    def take(self, now: float, amount: float) -> None:
        """Take so much of what is left."""
        raise NotImplementedError


class Bucket(Limit):
    """Refills all the time, as OpenAI's limits do."""

    def __init__(self, limit: float) -> None:
        super().__init__(limit)
        self._level = limit
        self._at = -math.inf

    def remaining(self, now: float) -> float:
        passed = max(now - self._at, 0.0)
        return min(self.limit, self._level + passed * self.limit / _MINUTE_S)

    def reset(self, now: float) -> float:
        return self.until(now, self.limit)

    def until(self, now: float, amount: float) -> float:
        return max(amount - self.remaining(now), 0.0) * _MINUTE_S / self.limit

    def take(self, now: float, amount: float) -> None:
        self._level, self._at = self.remaining(now) - amount, now


class Window(Limit):
    """Is whole again at each full minute of the clock."""

    def __init__(self, limit: float) -> None:
        super().__init__(limit)
        self._taken = 0.0
        self._window = -1.0

    def remaining(self, now: float) -> float:
        return self.limit - (self._taken if now // _MINUTE_S == self._window else 0.0)

    def reset(self, now: float) -> float:
        return _MINUTE_S - now % _MINUTE_S if self.remaining(now) < self.limit else 0.0

    def until(self, now: float, amount: float) -> float:
        return 0.0 if amount <= self.remaining(now) else self.reset(now)

    def take(self, now: float, amount: float) -> None:
        self._taken, self._window = self.limit - self.remaining(now) + amount, now // _MINUTE_S


class Log(Limit):
    """Counts what came within the last minute."""

    def __init__(self, limit: float) -> None:
        super().__init__(limit)
        self._taken: deque[tuple[float, float]] = deque()

    def remaining(self, now: float) -> float:
        return self.limit - sum(amount for at, amount in self._taken if at > now - _MINUTE_S)

    def reset(self, now: float) -> float:
        return self.until(now, self.limit)

    def until(self, now: float, amount: float) -> float:
        left = self.remaining(now)
        for at, taken in self._taken:
            if left >= amount:
                break
            if at > now - _MINUTE_S:
                left += taken
                if left >= amount:
                    return at + _MINUTE_S - now
        return 0.0

    def take(self, now: float, amount: float) -> None:
        while self._taken and self._taken[0][0] <= now - _MINUTE_S:
            self._taken.popleft()
        self._taken.append((now, amount))


MODELS: dict[str, type[Limit]] = {"bucket": Bucket, "window": Window, "log": Log}


class Rates:
    """The limits on requests and tokens of one server; None is no limit."""

    def __init__(self, model: str, requests: float | None, tokens: float | None) -> None:
        kind = MODELS[model]
        given = {"requests": requests, "tokens": tokens}
        self._limits = {thing: kind(limit) for thing, limit in given.items() if limit is not None}

    def take(self, now: float, tokens: int) -> tuple[str, float | None] | None:
        """Take one request of so many tokens; else return what is refused, and the seconds until it may go.

        The seconds are None for a request that alone has more tokens than the limit. A refused request
        counts among the requests, as OpenAI has it.
        """
        amounts = {"requests": 1, "tokens": tokens}
        for thing, limit in self._limits.items():
            amount = amounts[thing]
            if limit.remaining(now) < amount:
                if thing == "tokens" and "requests" in self._limits:
                    self._limits["requests"].take(now, 1)
                used = limit.limit - limit.remaining(now)
                said = f"Limit {limit.limit:.0f}, Used {used:.0f}, Requested {amount}"
                return f"{thing} per min: {said}", limit.until(now, amount) if amount <= limit.limit else None
        for thing, limit in self._limits.items():
            limit.take(now, amounts[thing])
        return None

    def headers(self, now: float) -> dict[str, str]:
        """Return the headers that tell of the limits."""
        fields = {}
        for thing, limit in self._limits.items():
            fields[f"x-ratelimit-limit-{thing}"] = f"{limit.limit:.0f}"
            fields[f"x-ratelimit-remaining-{thing}"] = str(max(math.floor(limit.remaining(now)), 0))
            fields[f"x-ratelimit-reset-{thing}"] = duration(limit.reset(now))
        return fields


def duration(seconds: float) -> str:
    """Return a duration as OpenAI writes it: `26ms`, `1.2s`, `6m0s`, `1h0m0s`."""
    if seconds < 1:
        return f"{math.ceil(seconds * 1000)}ms"
    minutes, rest = divmod(math.ceil(seconds * 1000) / 1000, 60)
    hours, minutes = divmod(int(minutes), 60)
    text = f"{rest:.3f}".rstrip("0").rstrip(".") + "s"
    return f"{hours}h{minutes}m{text}" if hours else f"{minutes}m{text}" if minutes else text

"""Counts the requests, tokens and costs of an API, before and after they are sent."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["BATCH_SHARE", "Plan", "Usage", "cost_of"]

# What a token costs in OpenAI's batches: developers.openai.com/api/docs/guides/batch
BATCH_SHARE = 0.5


def cost_of(tokens: int, price: float | None) -> float | None:
    """Return the cost of `tokens` in US dollars, at `price` for a million; None if the price is unknown."""
    return None if price is None else tokens * price / 1e6


class Plan(ABC):
    """Counts the tokens and requests that texts would need, without sending them.

    `tokens` is an upper bound unless `is_exact`; `cost` is in US dollars, None if the price is unknown. Where
    the server is not OpenAI's or Azure's, its speed may call for more than so many `requests`.
    """

    tokens: int = 0
    requests: int = 0
    is_exact: bool = True
    is_openai: bool = True
    cost: float | None = None

    @abstractmethod
    def add(self, texts: Sequence[str]) -> None:
        """Count `texts` too."""


@dataclass(eq=False, slots=True)
class Usage:
    """Counts the requests of one run, the retries among them, and the tokens that the server reports.

    `price` is in US dollars for a million tokens, None if unknown.
    """

    host: str
    price: float | None = None
    requests: int = 0
    retries: int = 0
    tokens: int = 0
    answers: int = 0
    answers_without_tokens: int = 0
    _began: float | None = None
    _ended: float = 0.0

    def begin(self, now: float, *, retry: bool) -> None:
        """Count a request that is sent at `now`, in seconds."""
        self.requests += 1
        self.retries += retry
        self._began = now if self._began is None else self._began

    def answered(self, tokens: int | None) -> None:
        """Count an answer with vectors, and the tokens that it reports, None if it reports none."""
        self.answers += 1
        self.answers_without_tokens += tokens is None
        self.tokens += tokens or 0

    def end(self, now: float) -> None:
        """Record that a request ended at `now`, with or without success."""
        self._ended = now

    @property
    def seconds(self) -> float:
        """The time from the first request to the end of the last one."""
        return 0.0 if self._began is None else max(self._ended - self._began, 0.0)

    @property
    def cost(self) -> float | None:
        """The cost in US dollars, None if unknown."""
        return None if self.answers_without_tokens else cost_of(self.tokens, self.price)

"""What the use of an API came to, and what it would come to."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Plan", "Usage", "cost_of"]


def cost_of(tokens: int, price: float | None) -> float | None:
    """Return what tokens cost in US dollars, at `price` for a million; None where that is not known."""
    return None if price is None else tokens * price / 1e6


class Plan(ABC):
    """Counts what texts would take that are not sent.

    `tokens` is their number, or an upper bound where not `is_exact`; `cost` that in US dollars, None where
    the price is not known.
    """

    tokens: int = 0
    requests: int = 0
    is_exact: bool = True
    cost: float | None = None

    @abstractmethod
    def add(self, texts: Sequence[str]) -> None:
        """Count some texts more."""


@dataclass(eq=False, slots=True)
class Usage:
    """Counts requests of one run, those of them that were sent again, and the tokens that the server counted.

    `price` is in US dollars for a million tokens, None where it is not known; `seconds` go from the
    first request to the last answer.
    """

    host: str
    price: float | None = None
    requests: int = 0
    again: int = 0
    tokens: int = 0
    answers: int = 0
    answers_without_tokens: int = 0
    _began: float | None = None
    _ended: float = 0.0

    def begin(self, now: float, *, again: bool) -> None:
        """Count a request that is sent at `now`."""
        self.requests += 1
        self.again += again
        self._began = now if self._began is None else self._began

    def answered(self, tokens: int | None) -> None:
        """Count an answer with vectors, and the tokens that it says it took."""
        self.answers += 1
        self.answers_without_tokens += tokens is None
        self.tokens += tokens or 0

    def end(self, now: float) -> None:
        """Take in that a request ended, well or not."""
        self._ended = now

    @property
    def seconds(self) -> float:
        """How long it all took."""
        return 0.0 if self._began is None else max(self._ended - self._began, 0.0)

    @property
    def cost(self) -> float | None:
        """What it cost in US dollars, None where that is not known."""
        return None if self.answers_without_tokens else cost_of(self.tokens, self.price)

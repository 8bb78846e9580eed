"""What the sender is given to send, and what it gives back."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simil.embedders.openai.retries import Failed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from simil.embedders.openai.bisection import Bisection

__all__ = ["EmbeddingReply", "EmbeddingRequest", "Todo"]


@dataclass(frozen=True, eq=False, slots=True)
class EmbeddingReply:
    """The vectors of one request, float32 [texts, dimensions], its headers, and the tokens it counted."""

    vectors: NDArray[np.float32]
    headers: Mapping[str, str]
    tokens: int | None


class EmbeddingRequest(ABC):
    """Texts that were begun together. Its methods are called by the threads that send.

    `texts` and their `sizes` in tokens may grow, places do not change; `is_exact` says whether sizes are
    counts or upper bounds; `is_over` that nobody waits for more; `has_told` that who waited was told of
    a failure.
    """

    texts: list[str]
    sizes: list[int]
    is_exact: bool
    is_over: bool = False
    has_told: bool = False

    @property
    @abstractmethod
    def surely_fits(self) -> int | None:
        """The tokens that a text may have for sure, None where only the server knows."""

    @abstractmethod
    def deliver(self, places: Sequence[int], vectors: NDArray[np.float32]) -> None:
        """Take the vectors of some texts; the next request is sent when this returns."""

    @abstractmethod
    def refuse(self, place: int, failed: Failed) -> Sequence[int]:
        """Take in that the server refuses a text; returns the places of what is sent in its stead."""

    @abstractmethod
    def fail(self, error: BaseException) -> None:
        """Take in that nothing more will come."""


@dataclass(eq=False, slots=True)
class Todo:
    """Texts that are still to be sent, as one request if `is_whole`; not before `due`.

    `bisection` says what the request tests, `tries` how often it failed, `first_sent` when it first went out.
    """

    job: EmbeddingRequest
    places: Sequence[int]
    is_whole: bool = False
    bisection: Bisection | None = None
    tries: int = 0
    due: float = -math.inf
    first_sent: float | None = None

    @property
    def tokens(self) -> int:
        """The tokens of all its texts."""
        return sum(self.job.sizes[place] for place in self.places)

"""What goes into one request: the API's limits, and how texts are laid into them."""

from __future__ import annotations

from collections.abc import Sequence

from simil.embedders.openai.tokens import TokenCounter
from simil.embedders.overflow import Overflow
from simil.embedders.usage import Plan, cost_of

__all__ = ["AIM_TOKENS", "MAX_INPUTS", "PackingPlan", "Ratio", "packed"]

MAX_INPUTS = 2048
# A request may hold 300,000 tokens; servers count a little differently from each other.
AIM_TOKENS = 250_000
# A later text may have more tokens to its bytes than those before.
_MARGIN = 1.1


def packed(sizes: Sequence[int], *, inputs: int = MAX_INPUTS, tokens: float = AIM_TOKENS) -> int:
    """Return how many of the texts with these `sizes`, from the first on, go into one request.

    That is one at least, even where it is larger than a request may be: the server will say so.
    """
    total = 0
    for count, size in enumerate(sizes[:inputs]):
        total += size
        if total > tokens and count:
            return count
    return min(len(sizes), inputs)


class PackingPlan(Plan):
    """Lays texts into requests and counts them."""

    def __init__(
        self, counter: TokenCounter, *, limit: int | None, overflow: Overflow, price: float | None
    ) -> None:
        """Take what counts tokens, how many of a text are sent at most, and what becomes of a longer one."""
        self.is_exact = counter.is_exact
        self._counter = counter
        self._limit = limit
        self._overflow = overflow
        self._price = price

    def add(self, texts: Sequence[str]) -> None:
        """Count some texts more, which are sent together; see `Plan.add`."""
        sizes = [
            size
            for text, count in zip(texts, self._counter.counts(texts), strict=True)
            for size in self._sent(text, count)
        ]
        start = 0
        while start < len(sizes):
            start += packed(sizes[start : start + MAX_INPUTS])
            self.requests += 1
        self.tokens += sum(sizes)
        self.cost = cost_of(self.tokens, self._price)

    def _sent(self, text: str, count: int) -> list[int]:
        """Return the sizes of what is sent of a text."""
        if self._limit is None or count <= self._limit:
            return [count]
        if self._overflow is Overflow.CHUNK:
            return [window.tokens for window in self._counter.windows(text, self._limit)]
        if self._overflow is Overflow.ERROR and self.is_exact:
            return []
        return [self._limit]


class Ratio:
    """How many tokens the server counts to one of an upper bound: what was seen at most, and a little."""

    def __init__(self) -> None:
        self._seen: float | None = None

    @property
    def value(self) -> float:
        """The ratio, at most 1; that is what it is before anything was seen."""
        return 1.0 if self._seen is None else self._seen

    def learn(self, bound: float, counted: float) -> None:
        """Take in what the server `counted` where here was a `bound`."""
        if bound > 0 and counted > 0:
            self._seen = max(self._seen or 0.0, min(_MARGIN * counted / bound, 1.0))

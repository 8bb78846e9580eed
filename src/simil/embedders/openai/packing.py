"""The API's limits on one request, and how texts are packed into requests."""

from __future__ import annotations

from collections.abc import Sequence

from simil.embedders.openai.tokens import TokenCounter
from simil.embedders.overflow import Overflow
from simil.embedders.usage import Plan, cost_of

__all__ = ["AIM_TOKENS", "MAX_INPUTS", "PackingPlan", "TokenRatio", "count_fitting"]

MAX_INPUTS = 2048
# The API accepts 300,000 tokens in a request; servers count slightly differently.
AIM_TOKENS = 250_000
# Later texts may have more tokens per byte than earlier ones.
_MARGIN = 1.1


def count_fitting(sizes: Sequence[int], *, inputs: int = MAX_INPUTS, tokens: float = AIM_TOKENS) -> int:
    """Return how many of the first texts, given their `sizes` in tokens, fit into one request.

    At least one, even if it is too large for a request: the server will say so.
    """
    total = 0
    for count, size in enumerate(sizes[:inputs]):
        total += size
        if total > tokens and count:
            return count
    return min(len(sizes), inputs)


class PackingPlan(Plan):
    """Packs texts into requests and counts them, without sending any."""

    def __init__(
        self,
        counter: TokenCounter,
        *,
        limit: int | None,
        overflow: Overflow,
        price: float | None,
        inputs: int = MAX_INPUTS,
        is_openai: bool = True,
    ) -> None:
        """`limit` is the most tokens sent of a text; `overflow` says what happens to a longer one.

        A request has at most so many `inputs`.
        """
        self.is_openai = is_openai
        self._inputs = inputs
        self.is_exact = counter.is_exact
        self._counter = counter
        self._limit = limit
        self._overflow = overflow
        self._price = price

    def add(self, texts: Sequence[str]) -> None:
        """Count more texts, which are sent together; see `Plan.add`."""
        sizes = [
            size
            for text, count in zip(texts, self._counter.counts(texts), strict=True)
            for size in self._sent(text, count)
        ]
        start = 0
        while start < len(sizes):
            start += count_fitting(sizes[start : start + self._inputs], inputs=self._inputs)
            self.requests += 1
        self.tokens += sum(sizes)
        self.cost = cost_of(self.tokens, self._price)

    def _sent(self, text: str, count: int) -> list[int]:
        """Return the sizes of the parts of a text that would be sent."""
        if self._limit is None or count <= self._limit:
            return [count]
        if self._overflow is Overflow.CHUNK:
            return [window.tokens for window in self._counter.windows(text, self._limit)]
        if self._overflow is Overflow.ERROR and self._counter.decides:
            return []
        return [self._limit]


class TokenRatio:
    """The server's token counts divided by our upper bounds: the highest ratio seen, plus a margin."""

    def __init__(self) -> None:
        self._seen: float | None = None

    @property
    def value(self) -> float:
        """The ratio, at most 1; it is 1 before the first count."""
        return 1.0 if self._seen is None else self._seen

    def learn(self, bound: float, counted: float) -> None:
        """Record that the server `counted` so many tokens where our upper `bound` was another."""
        if bound > 0 and counted > 0:
            self._seen = max(self._seen or 0.0, min(_MARGIN * counted / bound, 1.0))

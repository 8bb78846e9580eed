"""What goes into one request: the API's limits, and how texts are laid into them."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["AIM_TOKENS", "MAX_INPUTS", "Ratio", "packed", "requests_of"]

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


def requests_of(sizes: Sequence[int]) -> int:
    """Return into how many requests texts of these sizes go."""
    start = count = 0
    while start < len(sizes):
        start += packed(sizes[start : start + MAX_INPUTS])
        count += 1
    return count


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

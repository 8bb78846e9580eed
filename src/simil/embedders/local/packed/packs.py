"""Packs texts one behind another into runs of a fixed number of tokens, without padding.

All runs have the same shape, or one that depends on a single text alone, and each matrix product has it too:
a text's vector depends neither on what is beside it nor on how many texts there are.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simil.embedders.local.token_arrays import TokenArrays

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["FILLER_TOKENS", "TokenPack", "packs"]

FILLER_TOKENS = 16
"""Tokens in a filler sequence, fewer in the last one: attention costs little in short sequences."""


@dataclass(frozen=True, eq=False, slots=True)
class TokenPack:
    """Some texts as one run: `rows` intp [texts], `ids` int32 [budget] and `lengths` int32 [sequences].

    The first sequences are the texts at `rows`, longest first; what is left of the budget is filled with
    sequences of token 0, so that the lengths' sum is the budget.
    """

    rows: NDArray[np.intp]
    ids: NDArray[np.int32]
    lengths: NDArray[np.int32]


def packs(tokens: TokenArrays, budget: int, shared: int | None = None) -> Iterator[TokenPack]:
    """Yield texts, each with at least one token, in packs of `budget` tokens; every row comes once.

    A text with more tokens is alone in a pack of the next multiple of the budget, so that the shape of its
    run depends on that text alone. With `shared`, one with more than so many tokens is alone in a pack of
    just its tokens: where few such texts fit into the budget, much of it would be filler.
    """
    import numpy as np

    most, step = (budget, budget) if shared is None else (min(shared, budget), 1)
    order = np.argsort(-tokens.lengths, kind="stable")
    longest_first = tokens.take(order)
    starts = longest_first.starts()
    queues = _Queues(longest_first.lengths)
    while queues:
        if queues.longest <= most:
            capacity, parts = budget, list(queues.filling(budget))
        else:
            capacity, parts = -(-queues.longest // step) * step, [queues.first()]
        ids = np.zeros(capacity, np.int32)
        end = 0
        for part in parts:
            first = starts[part.start]
            start, end = end, end + int(longest_first.lengths[part].sum())
            ids[start:end] = longest_first.ids[first : first + end - start]
        lengths = [*(longest_first.lengths[part] for part in parts), _filler(capacity - end)]
        yield TokenPack(np.concatenate([order[part] for part in parts]), ids, np.concatenate(lengths))


class _Queues:
    """Texts sorted by length, longest first, of which those of one length wait in one queue."""

    def __init__(self, descending: NDArray[np.int32]) -> None:
        import numpy as np

        lengths, counts = np.unique(descending, return_counts=True)
        starts = len(descending) - np.cumsum(counts)
        self._lengths: list[int] = lengths.tolist()
        self._waiting = {
            length: slice(start, start + count)
            for length, start, count in zip(self._lengths, starts.tolist(), counts.tolist(), strict=True)
        }

    def __bool__(self) -> bool:
        return bool(self._lengths)

    @property
    def longest(self) -> int:
        return self._lengths[-1]

    def first(self) -> slice:
        """Take one of the longest texts."""
        return self._take(len(self._lengths) - 1, 1)

    def filling(self, capacity: int) -> Iterator[slice]:
        """Take texts, always the longest that still fit, until none does."""
        while place := bisect_right(self._lengths, capacity):
            length = self._lengths[place - 1]
            taken = self._take(place - 1, capacity // length)
            capacity -= (taken.stop - taken.start) * length
            yield taken

    def _take(self, place: int, most: int) -> slice:
        length = self._lengths[place]
        waiting = self._waiting[length]
        taken = slice(waiting.start, min(waiting.start + most, waiting.stop))
        self._waiting[length] = slice(taken.stop, waiting.stop)
        if taken.stop == waiting.stop:
            del self._lengths[place]
        return taken


def _filler(tokens: int) -> NDArray[np.int32]:
    import numpy as np

    lengths = np.full(-(-tokens // FILLER_TOKENS), FILLER_TOKENS, np.int32)
    if tokens % FILLER_TOKENS:
        lengths[-1] = tokens % FILLER_TOKENS
    return lengths

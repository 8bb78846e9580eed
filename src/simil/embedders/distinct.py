"""Equal items of a batch are computed once, and each place gets the result of its item."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from simil.embedders.pieces import TextRejected

__all__ = ["Distinct"]

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Distinct(Generic[Item]):
    """The distinct `items` of a batch, and for each of its places the row of its item among them."""

    items: Sequence[Item]
    rows: Sequence[int]

    @classmethod
    def of(cls, batch: Sequence[Item]) -> Distinct[Item]:
        """Return the distinct items of a batch, in the order in which they come first."""
        items = list(dict.fromkeys(batch))
        if len(items) == len(batch):
            return cls(items, range(len(items)))
        place = {item: row for row, item in enumerate(items)}
        return cls(items, [place[item] for item in batch])

    def rejecting(self, on_rejected: Callable[[TextRejected], None] | None) -> Callable[[TextRejected], None]:
        """Return a function that reports the rejection of an item, once for each of its places in the batch.

        Without `on_rejected` it is raised, with the first of them.
        """

        def reject(exc: TextRejected) -> None:
            row = exc.index
            exc.index = self.rows.index(row)
            if on_rejected is None:
                raise exc
            for index in range(exc.index, len(self.rows)):
                if self.rows[index] == row:
                    on_rejected(TextRejected(index, exc.message, hint=exc.hint))

        return reject

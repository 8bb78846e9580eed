"""Two inputs of one run that are held against each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from simil.texts import InputFormat

if TYPE_CHECKING:
    from simil.session.session import Session
    from simil.tasks.corpus import Corpus
    from simil.texts import ReadOptions

__all__ = ["Side", "both_sides", "fitted"]


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two: its files, how they are read, and what the progress bar calls its embedding."""

    files: Sequence[str]
    reading: ReadOptions
    what: str = "embedding"

    @property
    def is_plain(self) -> bool:
        """Whether all of it is plain text, which has no fields."""
        return {self.reading.format_for(path) for path in self.files} <= {InputFormat.TEXT}


def both_sides(session: Session, first: Side, second: Side) -> tuple[Corpus, Corpus]:
    """Return the texts of both with their vectors.

    Saved vectors are read before texts, whichever side they are on: they say which model the texts need.
    Options for fields are for the side that has some, where the other is plain text.
    """
    first, second = fitted(first, second)
    sides = (first, second)
    opened = [session.inputs(side.files, side.reading) for side in sides]
    corpora: dict[int, Corpus] = {}
    for which in sorted((0, 1), key=lambda which: not opened[which].forms):
        side = sides[which]
        corpora[which] = session.corpus_of(opened[which], side.reading, what=side.what)
    return corpora[0], corpora[1]


def fitted(first: Side, second: Side) -> tuple[Side, Side]:
    """Return both sides, without options for fields on one that is plain text where the other has fields."""
    if first.is_plain == second.is_plain:
        return first, second
    return _without_fields(first), _without_fields(second)


def _without_fields(side: Side) -> Side:
    if not side.is_plain:
        return side
    return replace(side, reading=replace(side.reading, fields=(), id_field=None, header=True))

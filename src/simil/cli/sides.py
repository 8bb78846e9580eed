"""Two inputs of one run that are held against each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from simil.texts import InputFormat, count_roughly

if TYPE_CHECKING:
    from simil.cli.session import Session
    from simil.tasks.corpus import Corpus
    from simil.tasks.inputs import Inputs
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
    opened = [(side, session.inputs(side.files, side.reading)) for side in (first, second)]
    saved = [session.saved(inputs) if inputs.forms else None for _, inputs in opened]
    one, other = (
        _embedded(session, side, inputs) if corpus is None else corpus
        for corpus, (side, inputs) in zip(saved, opened, strict=True)
    )
    return one, other


def fitted(first: Side, second: Side) -> tuple[Side, Side]:
    """Return both sides, without options for fields on one that is plain text where the other has fields."""
    if first.is_plain == second.is_plain:
        return first, second
    return _without_fields(first), _without_fields(second)


def _embedded(session: Session, side: Side, inputs: Inputs) -> Corpus:
    texts = session.read(inputs, side.reading)
    return session.embed(texts, total=lambda: count_roughly(inputs.sources, side.reading), what=side.what)


def _without_fields(side: Side) -> Side:
    if not side.is_plain:
        return side
    return replace(side, reading=replace(side.reading, fields=(), id_field=None, header=True))

"""Cuts long texts into parts that a model can read, each with the place where it begins."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from simil.errors import UsageError
from simil.texts.ignored_parts import rest_of
from simil.texts.records import Text, is_blank

__all__ = [
    "BETWEEN_PARAGRAPHS",
    "Chunk",
    "Chunking",
    "Cut",
    "Spans",
    "by_spans",
    "chunking_named",
    "in_chunks",
    "paragraphs",
]


class Chunk(NamedTuple):
    """A part of a text: the number of its first character there, and what is embedded."""

    start: int
    text: str


Cut = Callable[[Text], Iterable[Chunk]]
# From a text to its parts, as (first character, character after the last).
Spans = Callable[[str], Iterable[tuple[int, int]]]

BETWEEN_PARAGRAPHS = r"\n[^\S\n]*(?:\n[^\S\n]*)+"
_BETWEEN_PARAGRAPHS = re.compile(BETWEEN_PARAGRAPHS)
_TOKENS = re.compile(r"tokens:(\d{1,6})(?:/(\d{1,6}))?")


@dataclass(frozen=True, slots=True)
class Chunking:
    """How texts are cut.

    Into lines, paragraphs, sections of Markdown, or windows of `tokens` tokens that overlap by `overlap`.
    """

    unit: str
    tokens: int = 0
    overlap: int = 0


def chunking_named(name: str) -> Chunking:
    """Parse `lines`, `paragraphs`, `markdown`, `tokens:256` or `tokens:256/32`.

    Raises `UsageError` for anything else.
    """
    if name in ("lines", "paragraphs", "markdown"):
        return Chunking(name)
    match = _TOKENS.fullmatch(name)
    if match is None:
        raise UsageError(
            f"--chunk cannot be {name!r}",
            hint="choose lines, paragraphs, markdown, or tokens:SIZE/OVERLAP as in tokens:256/32",
        )
    tokens, overlap = int(match[1]), int(match[2] or 0)
    if overlap >= tokens:
        raise UsageError(f"--chunk {name} never advances", hint="make the overlap smaller than the size")
    return Chunking("tokens", tokens, overlap)


def paragraphs(text: str) -> Iterator[tuple[int, int]]:
    """Yield the parts between blank lines."""
    start = 0
    for gap in _BETWEEN_PARAGRAPHS.finditer(text):
        yield start, gap.start()
        start = gap.end()
    yield start, len(text)


def by_spans(spans: Spans) -> Cut:
    """Return what cuts a text into spans, each from its first word on."""

    def cut(text: Text) -> Iterator[Chunk]:
        for start, end in spans(text.text):
            part = text.text[start:end]
            yield Chunk(start + len(part) - len(part.lstrip()), part.strip())

    return cut


def in_chunks(
    texts: Iterable[Text], cut: Cut, *, several: bool, ignored: Sequence[str] = ()
) -> Iterator[Text]:
    """Yield the parts of each text that are not blank; ids and places name the line where each begins.

    The lines of a table's cell or a JSON value are not those of the file: its parts keep the place of their
    row and have their number after its id. `several` puts the file before the id. A part of which nothing
    is left without what the patterns `ignored` match is left out, as a blank one is.
    """
    for text in texts:
        lines = _LineNumbers(text.text)
        for number, part in enumerate(cut(text), 1):
            rest = rest_of(part.text, ignored) if ignored else ""
            if is_blank(part.text) or (ignored and is_blank(rest)):
                continue
            piece = text._replace(text=part.text, rest=rest)
            if text.origin.line is not None:
                yield piece._replace(id=f"{text.id}#{number}")
                continue
            line = lines.number_of(part.start)
            origin = text.origin._replace(line=line)
            # As `Source.label` writes names in ids.
            place = str(origin).encode("utf-8", "backslashreplace").decode("utf-8")
            yield piece._replace(id=place if several else str(line), origin=origin)


class _LineNumbers:
    """Numbers the lines of a text from 1; counts each line once if the places asked for increase."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._place, self._line = 0, 1

    def number_of(self, place: int) -> int:
        if place >= self._place:
            self._line += self._text.count("\n", self._place, place)
        else:
            self._line -= self._text.count("\n", place, self._place)
        self._place = place
        return self._line

"""Which character separates the cells of a CSV file, judged by its first row.

A first line `sep=;`, as Excel writes it, names the character. A first row without a comma that has another
usual separator is separated by that one: a name of a column rarely holds one, and can be quoted if it does.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from simil.errors import InputError, Place
from simil.formats.lines import without_end
from simil.formats.text_limit import too_long

__all__ = ["COMMA", "OTHERS", "Separated", "is_misread", "separated", "separator_of"]

COMMA = ","
OTHERS = ";\t|"
_NAMED = re.compile(r'(?i:sep)=([^"\r\n\w])')
# What follows the quote that opens a cell, up to the one that closes it, if any.
_INSIDE = r'[^"]*(?:""[^"]*)*("|\Z)'
_QUOTED = re.compile(rf'(?:\A|(?<=[,;\t|]))"{_INSIDE}')
_CONTINUED = re.compile(_INSIDE)


@dataclass(frozen=True, slots=True)
class Separated:
    """The lines of a CSV file, and how their cells are separated.

    Attributes:
        separator: the character between two cells.
        is_guess: whether the first row suggests it, rather than the file or the user saying so.
        head: the line `sep=;`, if there is one.
        lines: the other lines, as bytes in UTF-8.
    """

    separator: str
    is_guess: bool
    head: bytes
    lines: Iterator[bytes]


def separated(
    lines: Iterator[bytes], name: str, given: str | None = None, limit: int = sys.maxsize
) -> Separated:
    """How the lines of a file are separated, by its first row unless a separator is `given`.

    Reads the first row. Raises InputError if two separators are as likely, or the row is longer than
    `limit` bytes.
    """
    size = 0
    head: list[bytes] = []
    outside, inside = "", False
    for line in lines:
        text = without_end(line).decode("utf-8", "replace")
        if not head and (named := _NAMED.fullmatch(text)):
            return Separated(given or named[1], is_guess=False, head=line, lines=lines)
        head.append(line)
        size += len(line)
        if size > limit:
            raise too_long(limit, Place(name, 1))
        if given:
            break
        part, inside = _outside_quotes(text, inside=inside)
        outside += part
        if text and not inside:
            break
    found = [given] if given else _likely(outside)
    if len(found) > 1:
        raise InputError(
            f"the columns could be separated by {' or '.join(map(repr, found))}",
            hint="say which with --delimiter",
            place=Place(name, len(head)),
        )
    return Separated(found[0], is_guess=found[0] not in (given, COMMA), head=b"", lines=chain(head, lines))


def separator_of(text: str) -> str:
    """What separates the cells of a file that begins with `text`; a comma if that is unclear."""
    try:
        return separated(iter(text.encode().split(b"\n")), "").separator
    except InputError:
        return COMMA


def is_misread(row: str) -> bool:
    """Whether a first row that was written with commas would be taken for one with another separator."""
    return bool(_NAMED.fullmatch(row)) or _likely(_outside_quotes(row, inside=False)[0]) != [COMMA]


def _likely(outside: str) -> list[str]:
    """What may separate the cells of a row, by what stands outside quotes in it."""
    others = [] if COMMA in outside else [mark for mark in OTHERS if mark in outside]
    return others or [COMMA]


def _outside_quotes(text: str, *, inside: bool) -> tuple[str, bool]:
    """What of a line stands outside quotes, and whether it ends inside them, given that it begins so."""
    if inside:
        found = _CONTINUED.match(text)
        if found is None or not found[1]:
            return "", True
        text = " " + text[found.end() :]  # What follows a closing quote begins no cell.
    quoted = [*_QUOTED.finditer(text)]
    return _QUOTED.sub("", text), bool(quoted) and not quoted[-1][1]

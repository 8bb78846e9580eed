"""What reading gives: a text, or a pair of texts, with its id and place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from simil.errors import Place

__all__ = ["Pair", "Text", "is_blank"]


class Text(NamedTuple):
    """One text. `fields` are the columns or keys of its record other than text and id, in order.

    With `ReadOptions.all_fields` they are all of them; plain text has none. `is_missing` says that the record
    has no text to embed, and only keeps its place; what can be read of it is here. `raw` is the bytes of its
    record, where `ReadOptions.keeps_raw` asks for them and the format has such. `rest` is the text without
    what `ReadOptions.ignored` cuts out; empty where nothing is to be cut out.
    """

    id: str
    text: str
    origin: Place
    fields: Mapping[str, object]
    is_missing: bool = False
    raw: bytes = b""
    rest: str = ""

    @property
    def embedded(self) -> str:
        """What a model reads of the text."""
        return self.rest or self.text

    def __hash__(self) -> int:
        return hash((self.id, self.text, self.origin))


class Pair(NamedTuple):
    """Two texts of one row. `fields` are all its columns or keys in order, including both texts.

    `is_missing` is as in `Text`, where one of the two is missing. `rests` are what `Text.rest` is of one.
    """

    id: str
    left: str
    right: str
    origin: Place
    fields: Mapping[str, object]
    is_missing: bool = False
    rests: tuple[str, str] | None = None

    @property
    def embedded(self) -> tuple[str, str]:
        """What a model reads of the two texts."""
        return self.rests or (self.left, self.right)

    def __hash__(self) -> int:
        return hash((self.id, self.left, self.right, self.origin))


def is_blank(text: str) -> bool:
    """Whether `text` is empty or only Unicode white space."""
    return not text or text.isspace()

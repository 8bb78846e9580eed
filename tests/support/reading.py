"""Opens sources as a session does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from simil.formats.detection import TypedSource
from simil.formats.registry import format_named
from simil.formats.sources import Source
from simil.texts import ReadOptions, format_of

__all__ = ["named", "opened"]


def opened(
    names: Sequence[object], reading: ReadOptions | None = None, stdin: Any = None
) -> list[TypedSource]:
    """Look at each of `names`, none is "-"; `stdin` is an unbuffered stream in place of standard input."""
    how = reading or ReadOptions()
    sources = [str(name) for name in names] or ["-"]
    return [how.open(Source(name, stdin if name == "-" else None)) for name in sources]


def named(name: object, reading: ReadOptions | None = None) -> TypedSource:
    """Take `name` for what its suffix says, unless the options say more, without looking at it."""
    how = reading or ReadOptions()
    form = "text" if how.is_literal else how.format or format_of(str(name))
    return TypedSource(Source(str(name)), format_named(form))

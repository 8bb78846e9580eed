"""Opens sources as a session does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, BinaryIO

from simil.formats.detection import TypedSource, typed
from simil.formats.registry import format_named, suffix_format
from simil.formats.sources import Source
from simil.texts import ReadOptions, format_of
from simil.vectors import VectorFile
from simil.vectors.sniff import as_vectors
from simil.vectors.vector_files import read_vectors

__all__ = ["named", "opened", "vectors_in"]


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


def vectors_in(path: object, form: str | None = None, stdin: BinaryIO | None = None) -> VectorFile:
    """Read the vectors of a file, as what its suffix says or else what it is; `form` is taken on trust."""
    source = Source(str(path), stdin)
    name = "json" if form == "base64" else form
    known = format_named(name) if name else suffix_format(str(path))
    found = TypedSource(source, known) if known else as_vectors(typed(source))
    assert found is not None, f"{path} holds no vectors"
    return read_vectors(found)

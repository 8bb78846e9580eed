"""Completes names of columns in the shell, from the heads of the files that the command line names."""

from __future__ import annotations

import logging
import os
import re
import shlex
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from simil.cli.options.completion import AFTER, INSTRUCTION, begun

__all__ = ["column_names"]

# How long a row may be of which keys are read; a completion must be quick.
_MOST_BYTES = 1 << 20
_SPECIAL = re.compile(r"([^\w@%+=:,./-])")


def column_names(incomplete: str) -> list[str]:
    """Return the columns or keys of the files on the command line that begin with `incomplete`.

    Of each file only the beginning is read. What cannot be read has none: the run itself says why.
    """
    logging.disable()
    names = begun(incomplete, (name for path in _files() for name in _columns(path)))
    # Bash puts what it is offered on the line as it is; the other shells quote it.
    is_bash = os.environ.get(INSTRUCTION) == "complete_bash"
    return [_SPECIAL.sub(r"\\\1", name) for name in names] if is_bash else names


def _files() -> Iterator[Path]:
    """Yield the files among the words, also those behind the cursor where the shell tells them."""
    words = (os.environ.get(name, "") for name in ("_TYPER_COMPLETE_ARGS", "COMP_WORDS", AFTER))
    for word in dict.fromkeys(word for line in words for word in _split(line)):
        name = word.partition("=")[2] if word.startswith("--") else word
        with suppress(OSError, ValueError, RuntimeError):
            path = Path(name).expanduser()
            if path.is_file():
                yield path


def _split(line: str) -> Sequence[str]:
    try:
        return shlex.split(line)
    except ValueError:  # A quotation that has not ended.
        return line.split()


def _columns(path: Path) -> Sequence[str]:
    from simil.errors import SimilError
    from simil.formats.record_stream import FormatOptions, Record
    from simil.formats.registry import suffix_format
    from simil.formats.sources import Source

    form = suffix_format(path)
    if form is None or form.read is None:
        return ()
    try:
        stream = form.read(Source(str(path)), FormatOptions(max_text_bytes=_MOST_BYTES))
        if stream.columns is not None:
            return stream.columns
        first = next(stream.records, None)
    except SimilError:
        return ()
    value = first.value if isinstance(first, Record) else None
    return [*value] if isinstance(value, dict) else ()

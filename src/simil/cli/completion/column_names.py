"""The names of columns for `--field` and its like, from the heads of the files on the command line."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING

from simil.errors import SimilError

if TYPE_CHECKING:
    from simil.cli.completion.typed_arguments import TypedArguments
    from simil.texts import ReadOptions

__all__ = ["column_names"]

# Options whose files hold no rows, or hold them only after the run.
_WITHOUT_ROWS = {"output", "plot", "env_file", "calibration", "tokenizer"}
# How many records show their keys, and how long one may be: somebody has pressed a key and waits.
_RECORDS, _MOST_BYTES = 20, 1 << 18
# Formats that are read as a whole, and how large a file of theirs may be.
_WHOLE, _WHOLE_BYTES = ("json", "xlsx"), 1 << 20


def column_names(typed: TypedArguments) -> list[str]:
    """Return the names of the columns or keys of all files on the line, each once.

    Of a file only the beginning is read. One that cannot be read has no columns: the run will say why.
    """
    try:
        options = _read_options(typed)
    except SimilError:
        return []
    names = dict.fromkeys(name for path in _files(typed) for name in _columns(path, options))
    # No line has room for what cannot be printed, and a dash is the beginning of an option.
    return [name for name in names if name and name.isprintable() and not name.startswith("-")]


def _read_options(typed: TypedArguments) -> ReadOptions:
    from simil.cli.options.values import read_options

    return read_options(
        typed.last("input_format"),
        None,
        None,
        nul=False,
        whole=False,
        header="no_header" not in typed.given,
        delimiter=typed.last("delimiter"),
        encoding=typed.last("encoding"),
        sheet=typed.last("sheet"),
        max_text_bytes=_MOST_BYTES,
    )


def _files(typed: TypedArguments) -> Iterator[str]:
    """Yield the regular files among the arguments and the values of options."""
    values = [value for name, given in typed.given.items() if name not in _WITHOUT_ROWS for value in given]
    for word in dict.fromkeys([*typed.others, *values]):
        # Of bash and PowerShell, words come as they were typed.
        path = os.path.expanduser(os.path.expandvars(word))  # noqa: PTH111 (raises nothing where no home is)
        with suppress(ValueError):  # A NUL byte.
            if os.path.isfile(path):  # noqa: PTH113
                yield path


def _columns(path: str, options: ReadOptions) -> Sequence[str]:
    from simil.formats.record_stream import Record
    from simil.formats.sources import Source

    source = Source(path, text_limit=_MOST_BYTES)
    try:
        form = options.open(source).format
        if form.read is None or (form.name in _WHOLE and os.stat(path).st_size > _WHOLE_BYTES):  # noqa: PTH116
            return ()
        stream = form.read(source, options)
        if stream.columns is not None:
            return stream.columns
        records = [one.value for one in islice(stream.records, _RECORDS) if isinstance(one, Record)]
    except (SimilError, OSError):
        return ()
    finally:
        source.close()
    return [key for value in records if isinstance(value, dict) for key in value]

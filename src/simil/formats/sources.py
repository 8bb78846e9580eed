"""Opens files and standard input, and reads their bytes in chunks as they arrive."""

from __future__ import annotations

import errno
import os
import select
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from io import FileIO
from typing import BinaryIO, Protocol, cast

from simil.errors import InputError, Place

__all__ = ["Source", "chunks"]

_CHUNK = 64 * 1024
_STDIN = 0


class _Raw(Protocol):
    """An unbuffered stream: reads what has arrived, b"" at the end, None if nothing has arrived yet."""

    def read(self, size: int, /) -> bytes | None: ...

    def fileno(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Source:
    """A path, or "-" for standard input."""

    path: str

    @property
    def is_stdin(self) -> bool:
        return self.path == "-"

    @property
    def label(self) -> str:
        """The path as ids show it; bytes of it that are not UTF-8 are escaped, as in `\\udce9`."""
        return self.path.encode("utf-8", "backslashreplace").decode("utf-8")

    @property
    def name(self) -> str:
        """The source as messages show it."""
        return "stdin" if self.is_stdin else self.label or "''"

    def check(self) -> None:
        """Raise InputError if the file is missing, is a directory or may not be read.

        All sources are checked before the first is read, so that the last of many does not fail after an
        hour's work.
        """
        if self.is_stdin:
            return
        try:
            if stat.S_ISDIR(os.stat(self.path).st_mode):  # noqa: PTH116 (Path would turn "" into ".")
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            if not os.access(self.path, os.R_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        except (OSError, ValueError) as exc:
            raise _unreadable(self, exc) from exc


def chunks(source: Source, stdin: BinaryIO | None = None) -> Iterator[bytes]:
    """The bytes of `source`, at most 64 KiB at a time, each part as soon as it arrives.

    Nothing is buffered: a buffered reader holds a lock while it waits, and the interpreter cannot shut down
    while a daemon thread waits in it. `stdin` replaces file descriptor 0 and must be unbuffered too; it is
    left open. Raises InputError if the source cannot be opened or read.
    """
    if source.is_stdin and stdin is not None:
        yield from _drained(source, cast(_Raw, stdin))
        return
    try:
        stream = FileIO(_STDIN, closefd=False) if source.is_stdin else FileIO(source.path)
    except (OSError, ValueError) as exc:
        raise _unreadable(source, exc) from exc
    with stream:
        yield from _drained(source, stream)


def _drained(source: Source, stream: _Raw) -> Iterator[bytes]:
    while True:
        try:
            chunk = stream.read(_CHUNK)
            if chunk is None:
                # Another process may have made a shared stdin non-blocking; that is not the end of it.
                select.select([stream], [], [])
                continue
        except OSError as exc:
            raise _unreadable(source, exc) from exc
        if not chunk:
            return
        yield chunk


def _unreadable(source: Source, exc: OSError | ValueError) -> InputError:
    place = Place(source.name)
    if isinstance(exc, IsADirectoryError):
        hint = f"name files in it, e.g. {source.label.rstrip('/')}/*"
        return InputError("is a directory", hint=hint, place=place)
    if isinstance(exc, FileNotFoundError):
        return InputError(
            "no such file", hint="check the name, and the directory it is relative to", place=place
        )
    if source.is_stdin and isinstance(exc, OSError) and exc.errno == errno.EBADF:
        return InputError("is closed", hint="name a file, or pipe texts in", place=place)
    reason = exc.strerror if isinstance(exc, OSError) else str(exc)
    return InputError(f"cannot be read: {reason}", place=place)

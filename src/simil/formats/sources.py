"""Opens files and standard input, and reads their bytes in chunks as they arrive."""

from __future__ import annotations

import errno
import os
import select
import stat
import tempfile
import weakref
from collections.abc import Callable, Iterator
from io import FileIO
from typing import BinaryIO, Protocol, cast

from simil.errors import InputError, Place
from simil.formats.part_files import part_files

__all__ = ["Source"]

_CHUNK = 64 * 1024
_STDIN = 0
# How many bytes all looks together may have gone over before they become rare: so many, and all so often.
_LOOKED = 1 << 20
_TIMES = 4


class _Raw(Protocol):
    """An unbuffered stream: reads what has arrived, b"" at the end, None if nothing has arrived yet."""

    def read(self, size: int, /) -> bytes | None: ...

    def fileno(self) -> int: ...

    def close(self) -> None: ...


class Source:
    """A path, or "-" for standard input: looked at, then read, and opened once if it can be read only once.

    A pipe, a FIFO, a terminal or `/dev/fd/N` stays open after a look, and what was looked at is put back.
    A regular file is opened anew, so that thousands of sources can wait for their turn.
    """

    def __init__(self, path: str, stdin: BinaryIO | None = None) -> None:
        """Open nothing yet. `stdin` replaces file descriptor 0; it must be unbuffered and is left open."""
        self.path = path
        self._stdin = stdin
        self._stream: _Raw | None = None
        self._head = bytearray()
        self._ended = False
        self._copy: BinaryIO | None = None

    @property
    def is_stdin(self) -> bool:
        return self.path == "-"

    @property
    def label(self) -> str:
        """The path as ids show it; bytes of it that are not UTF-8 are escaped, as in `\\udce9`."""
        return self.path.encode("utf-8", "backslashreplace").decode("utf-8")

    @property
    def name(self) -> str:
        """The source as places name it: the path with the bytes that the system has (`os.fsencode`)."""
        return "stdin" if self.is_stdin else self.path or "''"

    @property
    def identity(self) -> tuple[int, int] | None:
        """What two sources share that are one pipe, such as `-` and `/dev/stdin`; None for other files."""
        found = self._status()
        if found is None:
            return None
        is_pipe = self.is_stdin or stat.S_ISFIFO(found.st_mode) or stat.S_ISSOCK(found.st_mode)
        return (found.st_dev, found.st_ino) if is_pipe else None

    def check(self) -> None:
        """Raise InputError if the file is missing, may not be read or is a directory, but of Parquet files.

        All sources are checked before the first is read, so that the last of many does not fail after an
        hour's work.
        """
        # An open `/dev/fd/N` may not be opened again.
        if self.is_stdin or self._stream is not None or self._copy is not None:
            return
        try:
            # Path would turn "" into ".".
            is_folder = stat.S_ISDIR(os.stat(self.path).st_mode)  # noqa: PTH116
            if is_folder and part_files(self.path) is None:
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            if not os.access(self.path, os.R_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        except (OSError, ValueError) as exc:
            raise _unreadable(self, exc) from exc

    def head(self, enough: Callable[[bytes], bool] = bool) -> bytes:
        """Look at the first bytes: as many as it takes until `enough` of them, or all there are.

        `enough` is asked when there is a new line end, and when there are twice as many bytes as before.
        Nothing more is waited for, as a pipe may be slow. Where nothing tells for long, only twice as many
        bytes are a reason to ask: each time costs as much as there is. Raises InputError as `chunks` does.
        """
        head = bytes(self._head)
        looked = 0
        while not enough(head) and not self._ended:
            looked += len(head)
            self._look_further(at_lines=looked <= _LOOKED + _TIMES * len(head))
            head = bytes(self._head)
        self._put_back()
        return head

    def whole(self) -> bytes:
        """Look at all there is; a pipe's bytes are kept until they are read. Raises as `chunks` does."""
        while not self._ended:
            self._head += self._read()
        data = bytes(self._head)
        self._put_back()
        return data

    def chunks(self) -> Iterator[bytes]:
        """Yield all bytes, at most 64 KiB at a time, each part as soon as it arrives.

        Nothing is buffered: a buffered reader holds a lock while it waits, and the interpreter cannot shut
        down while a daemon thread waits in it. Raises InputError if the source cannot be opened or read.
        """
        if self._copy is not None:
            with self.file() as again:
                yield from iter(lambda: again.read(_CHUNK), b"")
            return
        try:
            head, self._head = self._head, bytearray()
            for start in range(0, len(head), _CHUNK):
                yield bytes(head[start : start + _CHUNK])
            while not self._ended:
                if chunk := self._read():
                    yield chunk
        finally:
            self.close()

    def file(self) -> BinaryIO:
        """Return a file of all bytes that can seek: the file itself, or a temporary one of what can't.

        It can be asked for again, when the one before is no longer read. Raises InputError as `chunks` does.
        The caller closes it.
        """
        if self._is_regular():
            try:
                return open(_STDIN if self.is_stdin else self.path, "rb", closefd=not self.is_stdin)
            except (OSError, ValueError) as exc:
                raise _unreadable(self, exc) from exc
        if self._copy is None:
            self._copy = self._copied()
            weakref.finalize(self, self._copy.close)
        again = os.fdopen(os.dup(self._copy.fileno()), "rb")
        again.seek(0)
        return again

    def _copied(self) -> BinaryIO:
        copy = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the source
        try:
            copy.writelines(self.chunks())
            copy.flush()
        except BaseException:
            copy.close()
            raise
        return copy

    def close(self) -> None:
        """Close what a reader that failed has left open."""
        if self._stream is not None and self._stdin is None:
            self._stream.close()
        self._stream = None

    def _status(self) -> os.stat_result | None:
        """Return what the system knows of the source; None if that is nothing, or a stream replaces it."""
        if self._stdin is not None:
            return None
        try:
            # Path would turn "" into ".".
            return os.fstat(_STDIN) if self.is_stdin else os.stat(self.path)  # noqa: PTH116
        except (OSError, ValueError):
            return None

    def _is_regular(self) -> bool:
        found = self._status()
        return found is not None and stat.S_ISREG(found.st_mode)

    def _look_further(self, *, at_lines: bool) -> None:
        """Read on until there are twice as many bytes, or another line has ended, if `at_lines`."""
        wanted = 2 * len(self._head)
        while not self._ended:
            part = self._read()
            self._head += part
            if (at_lines and b"\n" in part) or len(self._head) >= wanted:
                return

    def _put_back(self) -> None:
        """Forget what was looked at in a regular file, which gives it again; a pipe does not."""
        if not self._is_regular():
            return
        if self.is_stdin and self._stream is not None:
            os.lseek(_STDIN, -len(self._head), os.SEEK_CUR)
        self.close()
        self._head.clear()
        self._ended = False

    def _read(self) -> bytes:
        """Return what arrives next; at the end nothing, and `_ended` is set."""
        try:
            if self._stream is None:
                self._stream = self._opened()
            while (chunk := self._stream.read(_CHUNK)) is None:
                # Another process may have made a shared stdin non-blocking; that is not the end of it.
                select.select([self._stream], [], [])
        except (OSError, ValueError) as exc:
            self.close()
            raise _unreadable(self, exc) from exc
        self._ended = not chunk
        return chunk

    def _opened(self) -> _Raw:
        if self.is_stdin:
            return cast(_Raw, self._stdin) if self._stdin is not None else FileIO(_STDIN, closefd=False)
        return FileIO(self.path)


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

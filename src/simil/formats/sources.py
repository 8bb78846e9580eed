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
from typing import IO, BinaryIO, Protocol, cast

from simil.errors import InputError, Place
from simil.formats.lance_paths import is_lance
from simil.formats.part_files import part_files
from simil.formats.remote_paths import is_remote
from simil.formats.text_limit import ALL_LINES, DOCUMENT, MAX_TEXT_BYTES, too_long

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

    def __init__(self, path: str, stdin: BinaryIO | None = None, *, text_limit: int = MAX_TEXT_BYTES) -> None:
        """Open nothing yet. `stdin` replaces file descriptor 0; it must be unbuffered and is left open.

        `text_limit` is how long one text may be, and so how far to look where no line ends.
        """
        self.path = path
        self._text_limit = text_limit
        self._stdin = stdin
        self._stream: _Raw | None = None
        self._head = bytearray()
        self._ended = False
        self._copy: IO[bytes] | None = None

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
        """Raise InputError if the file is missing, may not be read or is a directory of no table.

        An address is not asked for.

        All sources are checked before the first is read, so that the last of many does not fail after an
        hour's work.
        """
        # An open `/dev/fd/N` may not be opened again.
        if self.is_stdin or self._stream is not None or self._copy is not None:
            return
        if is_remote(self.path):
            self._check_address()
            return
        try:
            # Path would turn "" into ".".
            is_folder = stat.S_ISDIR(os.stat(self.path).st_mode)  # noqa: PTH116
            if is_folder and not is_lance(self.path) and part_files(self.path) is None:
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            if not os.access(self.path, os.R_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        except (OSError, ValueError) as exc:
            raise _unreadable(self, exc) from exc

    def _check_address(self) -> None:
        if not is_lance(self.path):
            raise InputError(
                "is an address, where only Lance datasets are read",
                hint="name a path, or an address that ends in .lance",
                place=Place(self.name),
            )

    def head(self, enough: Callable[[bytes], bool] = bool) -> bytes:
        """Look at the first bytes: as many as it takes until `enough` of them, or all there are.

        `enough` is asked when there is a new line end, and when there are twice as many bytes as before.
        Nothing more is waited for, as a pipe may be slow. Where nothing tells for long, only twice as many
        bytes are a reason to ask: each time costs as much as there is. Where no text can be so long, the look
        ends early. Raises InputError as `chunks` does.
        """
        head = bytes(self._head)
        looked = 0
        while not enough(head) and not self._ended and not self._is_too_long(head):
            looked += len(head)
            self._look_further(at_lines=looked <= _LOOKED + _TIMES * len(head))
            head = bytes(self._head)
        self._put_back()
        return head

    def whole(self) -> bytes:
        """Look at all there is; a pipe's bytes are kept until they are read. Raises as `document` does."""
        if not self._ended:
            for chunk in self._checked(iter(self._read, b""), bytes(self._head)):
                self._head += chunk
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

    def document(self) -> Iterator[bytes]:
        """Yield all bytes of what is read as a whole; raises as `chunks` does, and if a pipe never ends."""
        return self._checked(self.chunks())

    def _checked(self, chunks: Iterator[bytes], before: bytes = b"") -> Iterator[bytes]:
        limit, most = self._text_limit, 0
        size, line = len(before), len(before) - before.rfind(b"\n") - 1
        for chunk in chunks:
            most = most or limit * (ALL_LINES if _may_be_json(before or chunk) else DOCUMENT)
            end = chunk.rfind(b"\n") + 1
            size, line = size + len(chunk), len(chunk) - end if end else line + len(chunk)
            # A file ends.
            if (size > most or line > DOCUMENT * limit) and not self._is_regular():
                raise too_long(limit, Place(self.name))
            yield chunk

    def _is_too_long(self, head: bytes) -> bool:
        limit = self._text_limit
        if len(head) <= limit:
            return False
        line = len(head) - head.rfind(b"\n")
        return line > limit * (DOCUMENT if _may_be_json(head) else 1) or len(head) > ALL_LINES * limit

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

    def _copied(self) -> IO[bytes]:
        found = self._status()
        if found is not None and stat.S_ISCHR(found.st_mode):
            raise InputError("is a device, not a file", hint="name a file", place=Place(self.name))
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


def _may_be_json(head: bytes) -> bool:
    return head[:_CHUNK].lstrip()[:1] in (b"{", b"[", b"\xef", b"\xfe", b"\xff")  # or a byte order mark


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

"""Opens the output: stdout, or a file that appears complete or not at all."""

from __future__ import annotations

import errno
import io
import os
import re
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from simil.data_stream import path_of_output, stdout, terminal_size
from simil.errors import Place, UsageError
from simil.file_locks import lock
from simil.formats.file_maps import check_maps
from simil.formats.remote_paths import address_of, is_remote

__all__ = ["check_output", "is_terminal", "open_output", "open_outputs", "remove_unfinished", "width"]

# What no other program calls a file: so those of runs that were killed can be removed.
_TEMPORARY = re.compile(r"\..*\.simil-[0-9a-f]{16}\.part", re.DOTALL)
# After so long, a file that cannot be locked is no longer written.
_ABANDONED_S = 86_400

_unfinished: set[Path] = set()


def is_terminal() -> bool:
    """Return whether stdout is a terminal."""
    return stdout().isatty()


def width() -> int:
    """Return the width of the terminal in columns, at least 20."""
    return max(terminal_size().columns, 20)


@contextmanager
def open_output(path: Path | None) -> Iterator[BinaryIO]:
    """Yield stdout, or a stream to `path` that replaces the file only if the block succeeds."""
    with open_outputs([path] if path else []) as streams:
        yield streams[0] if streams else stdout().buffer


@contextmanager
def open_outputs(paths: list[Path]) -> Iterator[list[BinaryIO]]:
    """Yield a stream for each path; the files appear together, after the last byte of each."""
    files = [_Pending(path) for path in paths]
    # An interrupt at any point in here leaves no temporary file.
    try:
        check_maps()
        streams = [file.open() for file in files]
        try:
            yield streams
            check_maps()
            for file in files:
                file.finish()
        except OSError as exc:
            if exc.errno == errno.EFAULT:  # What was to be written is in a map whose file was cut.
                check_maps()
            # An error that names a file, or a closed pipe, does not come from these streams.
            if not paths or exc.filename or isinstance(exc, BrokenPipeError):
                raise
            raise _unwritable(paths[0], exc) from exc
        # A run that is killed between two files leaves none that belongs to another one.
        for file in files[1:]:
            file.remove_old()
        for file in files:
            file.put_in_place()
    finally:
        for file in files:
            file.close()


def check_output(path: Path) -> None:
    """Raise `UsageError` where no file can be written, before work is done for it; a device is not opened."""
    file = _Pending(path)
    try:
        if not file.is_device():
            file.open()
    finally:
        file.close()


def remove_unfinished() -> None:
    """Remove temporary files; for a process that must end without unwinding."""
    for path in [*_unfinished]:
        with suppress(OSError):  # Windows refuses while the file is open.
            path.unlink()


def _remove_abandoned(folder: Path) -> None:
    """Remove temporary files of runs that were killed; those of other runs are locked."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if _TEMPORARY.fullmatch(entry.name):
                with suppress(OSError):
                    _remove_if_abandoned(entry.path)


def _remove_if_abandoned(path: str) -> None:
    if sys.platform == "win32":
        os.unlink(path)  # noqa: PTH108 - Windows refuses it while the writer has the file open
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    try:
        found = os.fstat(descriptor)
        is_old = time.time() - found.st_mtime > _ABANDONED_S
        if stat.S_ISREG(found.st_mode) and (lock(descriptor) or is_old):
            os.unlink(path)  # noqa: PTH108 - while it is locked: its writer, if any, sees that it is gone
    except BlockingIOError:
        pass  # It is being written.
    finally:
        os.close(descriptor)


def _unwritable(path: Path, exc: OSError) -> UsageError:
    return UsageError(f"cannot be written: {exc.strerror or exc}", place=Place(str(path)), hint="check -o")


def _visible_on_terminal(stream: BinaryIO) -> BinaryIO:
    """Return the stream of a device; one that is a terminal makes control characters visible."""
    if not stream.isatty():
        return stream
    from simil.cli.output.terminal_stream import TerminalStream

    return TerminalStream(io.TextIOWrapper(stream, "utf-8")).buffer


class _Pending:
    """A file under a temporary name in the same folder; other than plain files are written directly."""

    def __init__(self, path: Path) -> None:
        self._name = path
        # As it was given: /dev/stdout is a link to something that may have no path.
        self._given = path_of_output(path)
        # A link stays: the file that it points to is replaced.
        self._path = Path(os.path.realpath(self._given))
        self._temporary: Path | None = None
        self._stream: BinaryIO | None = None

    def open(self) -> BinaryIO:
        address = address_of(self._name)
        if is_remote(address):
            said = "is an address, where only Lance datasets are written"
            raise UsageError(said, place=Place(address), hint="name a path")
        if self._path.is_dir():
            raise UsageError("is a directory", place=Place(str(self._name)), hint="name a file after -o")
        try:
            if self.is_device():
                self._stream = _visible_on_terminal(self._given.open("wb"))
                return self._stream
            _remove_abandoned(self._path.parent)
            self._stream = self._new_temporary()
            if sys.platform != "win32":
                os.fchmod(self._stream.fileno(), self._mode())
        except OSError as exc:
            raise _unwritable(self._name, exc) from exc
        return self._stream

    def is_device(self) -> bool:
        return self._given.exists() and not self._given.is_file() and not self._path.is_dir()

    def _new_temporary(self) -> BinaryIO:
        while True:
            # Only the beginning of the name: with all of it, the temporary name could be too long.
            name = f".{self._path.name[:40]}.simil-{os.urandom(8).hex()}.part"
            self._temporary = self._path.with_name(name)
            _unfinished.add(self._temporary)
            stream = self._temporary.open("xb")
            lock(stream.fileno(), wait=True)
            if os.fstat(stream.fileno()).st_nlink:
                return stream
            # Before it was locked, another run took it for one of a run that was killed.
            stream.close()
            _unfinished.discard(self._temporary)

    def close(self) -> None:
        if self._stream is not None:
            with suppress(OSError):  # A full disk; `finish` has reported it.
                self._stream.close()
        if self._temporary is not None:
            with suppress(OSError):  # Its folder does not exist, or is a file.
                self._temporary.unlink()
            _unfinished.discard(self._temporary)

    def finish(self) -> None:
        if self._stream is not None:
            self._stream.flush()
            if self._temporary is not None:
                os.fsync(self._stream.fileno())

    def remove_old(self) -> None:
        if self._temporary is not None:
            try:
                self._path.unlink(missing_ok=True)
            except OSError as exc:
                raise _unwritable(self._name, exc) from exc

    def put_in_place(self) -> None:
        if self._temporary is not None:
            try:
                if sys.platform == "win32" and self._stream is not None:
                    self._stream.close()  # An open file cannot be renamed there.
                self._temporary.replace(self._path)
            except OSError as exc:
                raise _unwritable(self._name, exc) from exc

    def _mode(self) -> int:
        """Return the permissions of the file, or those that a new one would get."""
        if self._path.exists():
            return self._path.stat().st_mode & 0o777
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask

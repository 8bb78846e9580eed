"""Where output goes: stdout, or a file that appears whole or not at all."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from simil.errors import Place, UsageError

__all__ = ["is_terminal", "open_output", "open_outputs", "remove_unfinished", "width"]

_unfinished: set[Path] = set()


def is_terminal() -> bool:
    """Say whether a person reads stdout."""
    return sys.stdout.isatty()


def width() -> int:
    """Return the columns of the terminal."""
    import shutil

    return max(shutil.get_terminal_size().columns, 20)


@contextmanager
def open_output(path: Path | None) -> Iterator[BinaryIO]:
    """Give stdout, or a stream into `path` that replaces the file only when the block ends well."""
    with open_outputs([path] if path else []) as streams:
        yield streams[0] if streams else sys.stdout.buffer


@contextmanager
def open_outputs(paths: list[Path]) -> Iterator[list[BinaryIO]]:
    """Give a stream for each path; all files are put in place together, after the last byte of each."""
    with ExitStack() as stack:
        files = [stack.enter_context(_Pending(path)) for path in paths]
        try:
            yield [file.stream for file in files]
            for file in files:
                file.finish()
        except OSError as exc:
            # One that names a file is not of these streams, and a closed pipe is no fault of theirs.
            if not paths or exc.filename or isinstance(exc, BrokenPipeError):
                raise
            raise _unwritable(paths[0], exc) from exc
        for file in files:
            file.put_in_place()


def remove_unfinished() -> None:
    """Remove what stands under temporary names; for the end of a process that cannot unwind."""
    for path in [*_unfinished]:
        path.unlink(missing_ok=True)


def _unwritable(path: Path, exc: OSError) -> UsageError:
    return UsageError(f"cannot be written: {exc.strerror or exc}", place=Place(str(path)), hint="check -o")


class _Pending:
    """A file under a temporary name beside its place; what is no plain file is written directly."""

    def __init__(self, path: Path) -> None:
        self._name = path
        # A link stays one: what it points to is replaced.
        self._path = Path(os.path.realpath(path))
        self._temporary: Path | None = None
        self.stream: BinaryIO

    def __enter__(self) -> _Pending:
        if self._path.is_dir():
            raise UsageError("is a directory", place=Place(str(self._name)), hint="name a file after -o")
        try:
            if self._name.exists() and not self._name.is_file():
                # By its own name: /dev/stdout is a link to what may have no path.
                self.stream = self._name.open("wb")
                return self
            # Only the beginning of the name: with all of it, it could become too long.
            self._temporary = self._path.with_name(f".{self._path.name[:40]}.{os.urandom(4).hex()}")
            # Known before it is there: an interrupt right after would leave it behind.
            _unfinished.add(self._temporary)
            handle = os.open(self._temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            os.fchmod(handle, self._mode())
            self.stream = os.fdopen(handle, "wb")
        except OSError as exc:
            if self._temporary is not None:
                _unfinished.discard(self._temporary)
            raise _unwritable(self._name, exc) from exc
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # A full disk; `finish` has told.
            self.stream.close()
        if self._temporary is not None:
            self._temporary.unlink(missing_ok=True)
            _unfinished.discard(self._temporary)

    def finish(self) -> None:
        self.stream.flush()
        if self._temporary is not None:
            os.fsync(self.stream.fileno())

    def put_in_place(self) -> None:
        if self._temporary is not None:
            try:
                self._temporary.replace(self._path)
            except OSError as exc:
                raise _unwritable(self._name, exc) from exc

    def _mode(self) -> int:
        """The rights that the file has, or that a new one would get."""
        if self._path.exists():
            return self._path.stat().st_mode & 0o777
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask

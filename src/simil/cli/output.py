"""Where output goes: stdout, or a file that appears whole or not at all."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

from simil.errors import Place, UsageError

__all__ = ["is_terminal", "open_output", "open_outputs", "width"]


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
        yield [file.stream for file in files]
        for file in files:
            file.finish()
        for file in files:
            file.put_in_place()


class _Pending:
    """A file under a temporary name beside its place; what is no plain file is written directly."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._temporary: Path | None = None
        self.stream: BinaryIO

    def __enter__(self) -> _Pending:
        try:
            # A link stays one: what it points to is replaced.
            self._path = self._path.resolve()
            if self._path.is_dir():
                raise UsageError("is a directory", place=Place(str(self._path)), hint="name a file after -o")
            if self._path.exists() and not self._path.is_file():
                self.stream = self._path.open("wb")
                return self
            handle, name = tempfile.mkstemp(prefix=f".{self._path.name}.", dir=self._path.parent)
            self._temporary = Path(name)
            os.fchmod(handle, self._mode())
            self.stream = os.fdopen(handle, "wb")
        except OSError as exc:
            reason = exc.strerror or str(exc)
            raise UsageError(
                f"cannot be written: {reason}", place=Place(str(self._path)), hint="check -o"
            ) from exc
        return self

    def __exit__(self, *_: object) -> None:
        self.stream.close()
        if self._temporary is not None:
            self._temporary.unlink(missing_ok=True)

    def finish(self) -> None:
        self.stream.flush()
        if self._temporary is not None:
            os.fsync(self.stream.fileno())

    def put_in_place(self) -> None:
        if self._temporary is not None:
            self._temporary.replace(self._path)
            self._temporary = None

    def _mode(self) -> int:
        """The rights that the file has, or that a new one would get."""
        if self._path.exists():
            return self._path.stat().st_mode & 0o777
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask

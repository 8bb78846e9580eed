"""A lock beside the state of a job: two runs that went on with it at once would pay twice."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

from simil.errors import Place, UsageError
from simil.file_locks import lock
from simil.private_files import FILE_MODE

__all__ = ["JobLock"]


class JobLock:
    """Holds the job of the state at `path` from `take` until `close`, or the end of the process."""

    def __init__(self, path: Path) -> None:
        self._path = path.with_name(f"{path.name}.lock")
        self._state = path
        self._descriptor: int | None = None

    def take(self) -> None:
        """Take the lock; raises `UsageError` if another run has it, or where no file can be made."""
        try:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, FILE_MODE)
        except OSError as exc:
            raise UsageError(
                f"cannot be written: {exc.strerror or exc}", place=Place(str(self._path))
            ) from exc
        # A file that is gone was the lock of a run that ended just now.
        if not _is_free(self._descriptor) or os.fstat(self._descriptor).st_nlink == 0:
            os.close(self._descriptor)
            self._descriptor = None
            said = "another run goes on with this batch"
            raise UsageError(said, place=Place(str(self._state)), hint="wait until it ends")

    def close(self) -> None:
        """Let go of the job."""
        if self._descriptor is None:
            return
        if (
            sys.platform == "win32"
        ):  # An open file cannot be deleted there, and one that others wait for neither.
            os.close(self._descriptor)
        with suppress(OSError):
            self._path.unlink()
        if sys.platform != "win32":
            os.close(self._descriptor)
        self._descriptor = None


def _is_free(descriptor: int) -> bool:
    """Lock a file, and return whether nobody else has; where nothing can be locked, nobody has."""
    try:
        lock(descriptor)
    except BlockingIOError:
        return False
    return True

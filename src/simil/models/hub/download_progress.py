"""Passes the progress bars of the hub library on to ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from simil.progress import Advance

__all__ = ["FileProgress"]

_MOST_RESTARTS = 5


class FileProgress:
    """Counts the bytes of one file and reports each of them once, however often it is downloaded.

    The library resumes a broken transfer where it stopped, as long as some bytes came. If the server
    cannot resume, it starts from the beginning, which need not end: after a few such restarts the
    error that `too_often` returns is raised.
    """

    def __init__(self, advance: Advance, size: int | None, too_often: Callable[[], Exception]) -> None:
        self._advance = advance
        self._size = size
        self._too_often = too_often
        self._position = 0
        self._reported = 0
        self._restarts = 0

    def move(self, count: int) -> None:
        """Move by `count` bytes; a negative count is a restart."""
        if count < 0:
            self._restarts += 1
            if self._restarts > _MOST_RESTARTS:
                raise self._too_often()
        self._position += count
        self._report(self._position)

    def finish(self) -> None:
        """Report the bytes that the library did not, as for a file that another process downloaded."""
        self._report(self._size or 0)

    def _report(self, position: int) -> None:
        reached = position if self._size is None else min(position, self._size)
        if reached > self._reported:
            self._advance(reached - self._reported)
            self._reported = reached

    def tqdm_class(self) -> type:
        """Return a class with the part of tqdm's interface that the library uses; updating it moves this."""
        progress = self

        class Bar:
            total: int | None = None

            def __init__(self, *args: Any, **options: Any) -> None:
                """Ignore how the library would draw the bar."""

            def __enter__(self) -> Bar:
                return self

            def update(self, count: float | None = 1) -> None:
                progress.move(int(count or 0))

            def _ignore(self, *args: Any, **options: Any) -> None:
                """Nothing is drawn; bytes of the transfer differ from the file's with deduplication."""

            __exit__ = close = update_transfer = set_postfix_str = set_transfer_postfix_str = _ignore

        return Bar

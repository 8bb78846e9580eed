"""The hub library's progress bars, led to ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from simil.progress import Advance

__all__ = ["Meter"]

_MOST_REWINDS = 5


class Meter:
    """Counts the bytes of one file and passes on each of them once, however often it is fetched.

    The library tries a broken transfer again from where it broke, and as often as something came.
    From a server that cannot continue in the middle it starts at the front each time, which need
    not end: after a few such rewinds `too_often` is called for the error to raise.
    """

    def __init__(self, advance: Advance, size: int | None, too_often: Callable[[], Exception]) -> None:
        self._advance = advance
        self._size = size
        self._too_often = too_often
        self._position = 0
        self._passed_on = 0
        self._rewinds = 0

    def move(self, count: int) -> None:
        """Take in how far the transfer went, back where it is negative."""
        if count < 0:
            self._rewinds += 1
            if self._rewinds > _MOST_REWINDS:
                raise self._too_often()
        self._position += count
        self._pass_on(self._position)

    def finish(self) -> None:
        """Pass on what the library did not report, as for a file that another process fetched."""
        self._pass_on(self._size or 0)

    def _pass_on(self, position: int) -> None:
        reached = position if self._size is None else min(position, self._size)
        if reached > self._passed_on:
            self._advance(reached - self._passed_on)
            self._passed_on = reached

    def tqdm_class(self) -> type:
        """Return a class with the part of tqdm that the library calls, which moves this meter."""
        meter = self

        class Bar:
            total: int | None = None

            def __init__(self, *args: Any, **options: Any) -> None:
                """Ignore how the library would draw it."""

            def __enter__(self) -> Bar:
                return self

            def __exit__(self, *exc: object) -> None:
                """Leave nothing to close."""

            def close(self) -> None:
                """Leave nothing to close."""

            def update(self, count: float | None = 1) -> None:
                meter.move(int(count or 0))

            def update_transfer(self, count: float | None = 1) -> None:
                """Ignore the bytes on the wire: with deduplication they are not those of the file."""

            def set_postfix_str(self, text: str, refresh: bool = False) -> None:
                """Ignore the rate."""

            def set_transfer_postfix_str(self, text: str, refresh: bool = False) -> None:
                """Ignore the rate."""

        return Bar

"""Files that other programs may change while they are read: an answer is made of one state of a file.

A text file may grow: it is read once, from its beginning. Files of numbers are mapped, or read in any order.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import UnsupportedOperation
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from simil.errors import InputError, Place

if TYPE_CHECKING:
    import mmap

__all__ = ["check_maps", "mapped", "unchanged"]


class _State(NamedTuple):
    """What a file was when it was opened."""

    name: str
    file: str | int
    status: os.stat_result

    def check(self, now: os.stat_result) -> None:
        """Raise InputError if the file has changed since."""
        before = self.status
        if (now.st_size, now.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
            what = "was cut" if now.st_size < before.st_size else "changed"
            hint = "run again when nothing writes it, or on a copy"
            raise InputError(f"{what} while it was read", hint=hint, place=Place(self.name))


# Kept beyond the maps, as what was made of one may still have to be written.
_states: list[_State] = []


def mapped(stream: BinaryIO, name: str) -> mmap.mmap:
    """A read-only map of the file on `stream`, which messages call `name`; `check_maps` looks after it."""
    import mmap

    found = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    _states.append(_State(name, stream.name, os.fstat(stream.fileno())))
    return found


def check_maps() -> None:
    """Raise InputError if one of the files that were mapped has changed since."""
    for state in _states:
        with suppress(OSError):
            now = os.stat(state.file)  # noqa: PTH116 - or the number of a descriptor
            # Another file of this name took its place; the map is of the old one.
            if (now.st_dev, now.st_ino) == (state.status.st_dev, state.status.st_ino):
                state.check(now)


@contextmanager
def unchanged(stream: BinaryIO, name: str) -> Iterator[None]:
    """Raise InputError at the end of the block if the file on `stream` has changed in it.

    An object of a store is never changed, only replaced: whoever reads the old one gets an error.
    """
    try:
        state = _State(name, "", os.fstat(stream.fileno()))
    except UnsupportedOperation:
        yield
        return
    yield
    state.check(os.fstat(stream.fileno()))

"""The vector cache as the rest of simil uses it: it never fails, but may keep nothing."""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple, TypeVar
from weakref import WeakSet

from simil.embedders.cache.database import (
    BUSY_MS,
    CacheEntry,
    CacheFile,
    current,
    delete_file,
    files,
    is_damage,
    next_file,
)
from simil.frozen import Frozen
from simil.private_files import FILE_MODE, make_private

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Hits", "VectorCache", "begin_next", "cache_folder", "set_aside"]

log = logging.getLogger("simil")

T = TypeVar("T")

_HOUR_S = 3600
# A use is noted once a day: noting every use would turn every look-up into a write.
_NOTED_H = 24
# The share of the limit that is kept when old vectors are dropped, so that not every batch drops some.
_FILLED = 0.9
# What a cache gathers is written once there are this many vectors, or after this many seconds.
_GATHERED, _GATHERED_S = 1024, 1.0
# The most uses that wait to be noted, to bound memory.
_NOTED_AT_ONCE = 1 << 16


def cache_folder(cache_dir: Path) -> Path:
    """Return the folder of the vector files in simil's cache directory."""
    return cache_dir / "vectors"


class Hits(Frozen, eq=False):
    """What was found: places of the keys [n], vectors float32 [n, dimensions], marks uint8 [n]."""

    rows: NDArray[np.intp]
    vectors: NDArray[np.float32]
    marks: NDArray[np.uint8]


class _Put(NamedTuple):
    """Vectors to be written; see `VectorCache.put`."""

    space: str
    keys: Sequence[bytes]
    vectors: NDArray[np.float32]
    marks: NDArray[np.uint8]


class VectorCache:
    """Vectors by key, on disk, shared by threads and processes.

    A failure is logged once, in one line; at worst, vectors are computed again.

    Attributes:
        max_bytes: the size from which on the least recently used vectors are dropped.
    """

    def __init__(
        self,
        folder: Path,
        max_bytes: int,
        *,
        clock: Callable[[], float] = time.time,
        busy_ms: int = BUSY_MS,
        gathers: bool = False,
        is_temporary: bool = False,
    ) -> None:
        """Nothing is opened before the first use.

        `clock` returns seconds since 1970; `busy_ms` is how long to wait for other processes. One that
        `gathers` writes about once a second what comes in small parts, since a write of one vector can take
        longer than computing it; look-ups do not see it before. One that `is_temporary` is deleted at the end
        of the run.
        """
        self._busy_ms = busy_ms
        self._gathers = gathers
        self._gathered: list[_Put] = []
        self._last_write = -_GATHERED_S
        self._folder = folder
        self.max_bytes = max_bytes
        self._clock = clock
        self._lock = Lock()
        self._file: CacheFile | None = None
        self._off = False
        self._read_only = False
        self._is_temporary = is_temporary
        self._has_room = False
        self._stored = 0
        self._stale: set[bytes] = set()
        self._damaged: set[bytes] = set()
        _CACHES.add(self)

    @property
    def kept(self) -> int:
        """How many of the vectors that this run has computed the next one will find."""
        is_lasting = self._has_room and not (self._is_temporary or self._read_only or self._off)
        return self._stored if is_lasting else 0

    def get(self, keys: Sequence[bytes]) -> Hits | None:
        """Return the vectors of those `keys` that are in the cache; None if there are none."""
        found = self.find(keys)
        return _hits(keys, [*found.values()]) if found else None

    def find(self, keys: Sequence[bytes]) -> dict[bytes, CacheEntry]:
        """Return the entries of those `keys` that are in the cache, all with vectors of one length."""
        self._write_gathered()
        rows = self._attempt(lambda file: file.get(keys)) or []
        damaged = {row.key for row in rows if not row.is_whole}
        if damaged:
            self._warn_of_damage(damaged)
            self._attempt(lambda file: file.drop([*damaged]), writes=True)
            rows = [row for row in rows if row.is_whole]
        # A server may run another model under the same name: return vectors of one length only.
        rows = [row for row in rows if len(row.value) == len(rows[0].value)]
        noted = self._hour() - _NOTED_H
        self._stale.update(row.key for row in rows if row.used < noted)
        if len(self._stale) >= _NOTED_AT_ONCE:
            self._note_use()
        return {row.key: row for row in rows}

    def put(
        self, space: str, keys: Sequence[bytes], vectors: NDArray[np.float32], marks: NDArray[np.uint8]
    ) -> None:
        """Keep the vectors [n, dimensions] of `keys`; `space` names their model, for `simil cache info`."""
        if self._gathers:
            with self._lock:
                self._gathered.append(_Put(space, keys, vectors, marks))
            self._write_gathered()
        else:
            self._write(_Put(space, keys, vectors, marks))

    def newest(self) -> int:
        """Return a number that tells what is stored by now from what comes later; see `older`."""
        return self._attempt(lambda file: file.newest()) or 0

    def older(self, keys: Sequence[bytes], newest: int) -> dict[bytes, str]:
        """Return those `keys` that were there when `newest` was asked for, and their spaces' names."""
        return self._attempt(lambda file: file.older(keys, newest)) or {}

    def drop_part(self, name: str) -> None:
        """Drop the vectors of a model behind a server; see `ServedModel.part`."""
        self._attempt(lambda file: file.drop_part(name), writes=True)

    def is_writable(self) -> bool:
        """Write what waits, and return whether new vectors are kept; why not is logged."""
        self._write_gathered(is_last=True)

        def write_nothing(file: CacheFile) -> bool:
            file.touch([], self._hour())
            return True

        return self._attempt(write_nothing, writes=True) is True

    def close(self) -> None:
        """Write what waits, vectors and notes of use, and close the file."""
        self._write_gathered(is_last=True)
        if self._stale:
            self._note_use()
        with self._lock:
            self._close_file()

    def _write(self, one: _Put) -> None:
        self._attempt(lambda file: self._put(file, *one), writes=True)

    def _write_gathered(self, *, is_last: bool = False) -> None:
        """Write what was gathered, if it is time."""
        with self._lock:
            is_due = time.monotonic() - self._last_write >= _GATHERED_S
            count = sum(len(one.keys) for one in self._gathered)
            if not count or not (is_last or is_due or count >= _GATHERED):
                return
            gathered, self._gathered = self._gathered, []
        for one in _joined(gathered):
            self._write(one)
        self._last_write = time.monotonic()

    def _warn_of_damage(self, keys: set[bytes]) -> None:
        """Say how many vectors are damaged; one that cannot be dropped is met again by the next look-up."""
        count = len(keys - self._damaged)
        self._damaged |= keys
        if count:
            log.warning(
                "%s damaged and will be computed again",
                "1 vector in the cache is" if count == 1 else f"{count} vectors in the cache are",
            )

    def _note_use(self) -> None:
        stale, self._stale = list(self._stale), set()
        self._attempt(lambda file: file.touch(stale, self._hour()), writes=True)

    def _put(
        self,
        file: CacheFile,
        space: str,
        keys: Sequence[bytes],
        vectors: NDArray[np.float32],
        marks: NDArray[np.uint8],
    ) -> None:
        self._stored += file.put(space, keys, vectors, marks, self._hour())
        size = file.size()
        self._has_room = size <= self.max_bytes
        if not self._has_room:
            share = 1 - _FILLED * self.max_bytes / size
            file.drop_oldest(int(file.count() * share) + 1)

    def _hour(self) -> int:
        return int(self._clock()) // _HOUR_S

    def _attempt(self, work: Callable[[CacheFile], T], *, writes: bool = False) -> T | None:
        """Do `work` with the open file, and return its result or None if it failed.

        A failed write ends writing, but reading goes on; any other failure ends both.
        """
        with self._lock:
            if self._off or (writes and self._read_only):
                return None
            try:
                return self._work(work)
            except (sqlite3.Error, OSError, OverflowError) as exc:
                # A full disk, a folder that is not writable, a lock that is never released.
                why = getattr(exc, "strerror", None) or exc
                if writes and self._file is not None:
                    self._read_only = True
                    log.warning("new vectors are not kept in the cache %s: %s", self._file.path, why)
                    return None
                self._off = True
                self._close_file()
                log.warning("the vector cache in %s is not used: %s", self._folder, why)
                return None

    def _work(self, work: Callable[[CacheFile], T]) -> T:
        path = self._path()
        try:
            return work(self._opened(path))
        except (sqlite3.Error, OverflowError) as exc:
            if not is_damage(exc):
                raise
            self._close_file()
            # Not the file that is current now: another process may have begun it since.
            set_aside(self._folder, path, exc)
            return work(self._opened(self._path()))

    def _path(self) -> Path:
        """Return the file to work with: the open one, or else the current one."""
        if self._file is not None and not self._file.path.exists():
            self._close_file()  # Another run cleared the cache: go on with the new file.
        return current(self._folder) if self._file is None else self._file.path

    def _opened(self, path: Path) -> CacheFile:
        if self._file is None:
            make_private(self._folder.parent, self._folder)
            self._file = CacheFile(path, busy_ms=self._busy_ms)
        return self._file

    def _close_file(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            with suppress(sqlite3.Error):
                file.close()


# SQLite remembers the locks of its process. After a fork the child would believe that it holds those
# of its parent, and would write when it must not; and it may not even close a connection that it
# inherited. So a fork waits until no thread uses a file, and closes all files; each process then opens
# its own. Comparing process ids instead would notice the fork too late, in the middle of a transaction.
_CACHES: WeakSet[VectorCache] = WeakSet()
_forking = Lock()
_held: list[VectorCache] = []


def _before_fork() -> None:
    _forking.acquire()
    for cache in list(_CACHES):
        cache._lock.acquire()
        _held.append(cache)
        cache._close_file()


def _after_fork() -> None:
    while _held:
        _held.pop()._lock.release()
    _forking.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)


def set_aside(folder: Path, damaged: Path, why: Exception) -> None:
    """Start a new file in place of a damaged one, unless another process has; the damaged one is kept."""
    if begin_next(folder, damaged, keep=1):
        log.warning(
            "the vector cache %s is damaged (%s); it was set aside, and a new one started", damaged, why
        )


def begin_next(folder: Path, path: Path, *, keep: int) -> bool:
    """Start a new file in place of `path`, and delete all older ones but the `keep` newest.

    Returns False if another process has already started one. Raises OSError.
    """
    from filelock import FileLock

    with FileLock(folder / "lock", mode=FILE_MODE):
        if current(folder) != path:
            return False
        next_file(path).touch(FILE_MODE)
        old = files(folder)[:-1]
        for one in old[: len(old) - keep]:
            delete_file(one)
    return True


def _joined(puts: Sequence[_Put]) -> list[_Put]:
    """Return the same vectors in as few parts as there are models and lengths of vectors."""
    import numpy as np

    alike: dict[tuple[str, int], list[_Put]] = {}
    for one in puts:
        alike.setdefault((one.space, one.vectors.shape[1]), []).append(one)
    return [
        _Put(
            space,
            [key for one in group for key in one.keys],
            np.concatenate([one.vectors for one in group]),
            np.concatenate([one.marks for one in group]),
        )
        for (space, _), group in alike.items()
    ]


def _hits(keys: Sequence[bytes], rows: Sequence[CacheEntry]) -> Hits:
    import numpy as np

    place = {key: row for row, key in enumerate(keys)}
    values = np.frombuffer(b"".join(row.value for row in rows), "<f4").reshape(len(rows), -1)
    return Hits(
        np.array([place[row.key] for row in rows], np.intp),
        values[:, :-1].astype(np.float32),  # The last four bytes are the checksum.
        np.array([row.marks for row in rows], np.uint8),
    )

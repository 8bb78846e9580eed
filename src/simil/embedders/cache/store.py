"""The vector cache as the rest of simil sees it: it never fails, at worst it keeps nothing."""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, TypeVar
from weakref import WeakSet

from simil.embedders.cache.database import (
    BUSY_MS,
    CacheEntry,
    CacheFile,
    current,
    cut_off,
    files,
    is_damage,
    next_file,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Hits", "VectorCache", "begin_next", "cache_folder", "set_aside"]

log = logging.getLogger("simil")

T = TypeVar("T")

_HOUR_S = 3600
# How old a note of use may be: noting each use would turn every look-up into a write.
_NOTED_H = 24
# What is left after old vectors made way, so that not every batch has to drop some.
_FILLED = 0.9
# How many uses wait to be noted, at most: memory stays bounded.
_NOTED_AT_ONCE = 1 << 16


def cache_folder(cache_dir: Path) -> Path:
    """Return the folder of the files of vectors, in simil's cache directory."""
    return cache_dir / "vectors"


@dataclass(frozen=True, eq=False, slots=True)
class Hits:
    """What was found: the keys' places [n], their vectors float32 [n, dimensions], which were cut [n]."""

    rows: NDArray[np.intp]
    vectors: NDArray[np.float32]
    cut: NDArray[np.bool_]


class VectorCache:
    """Vectors by key, on disk, for several threads and processes.

    What goes wrong is told once, in one line, and costs no more than the vectors being computed again.
    """

    def __init__(
        self,
        folder: Path,
        max_bytes: int,
        *,
        clock: Callable[[], float] = time.time,
        busy_ms: int = BUSY_MS,
    ) -> None:
        """Nothing is opened before the first use.

        `clock` gives seconds since 1970; `busy_ms` is how long other processes are waited for.
        """
        self._busy_ms = busy_ms
        self._folder = folder
        self._max_bytes = max_bytes
        self._clock = clock
        self._lock = Lock()
        self._file: CacheFile | None = None
        self._off = False
        self._read_only = False
        self._stale: set[bytes] = set()
        _CACHES.add(self)

    def get(self, keys: Sequence[bytes]) -> Hits | None:
        """Return what is kept of `keys`, None for nothing."""
        rows = self._attempt(lambda file: file.get(keys)) or []
        damaged = [row.key for row in rows if not row.is_whole]
        if damaged:
            log.warning("%d damaged vectors in the cache are computed again", len(damaged))
            self._attempt(lambda file: file.drop(damaged), writes=True)
            rows = [row for row in rows if row.is_whole]
        # A server may have another model under the same name: vectors of one length only.
        rows = [row for row in rows if len(row.value) == len(rows[0].value)]
        if not rows:
            return None
        noted = self._hour() - _NOTED_H
        self._stale.update(row.key for row in rows if row.used < noted)
        if len(self._stale) >= _NOTED_AT_ONCE:
            self._note_use()
        return _hits(keys, rows)

    def put(
        self, space: str, keys: Sequence[bytes], vectors: NDArray[np.float32], cut: NDArray[np.bool_]
    ) -> None:
        """Keep vectors [n, dimensions] of `keys`; `space` says whose they are, for people."""
        self._attempt(lambda file: self._put(file, space, keys, vectors, cut), writes=True)

    def close(self) -> None:
        """Note what was used, and close the file."""
        if self._stale and self._file is not None:
            self._note_use()
        with self._lock:
            self._let_go()

    def _note_use(self) -> None:
        stale, self._stale = list(self._stale), set()
        self._attempt(lambda file: file.touch(stale, self._hour()), writes=True)

    def _put(
        self,
        file: CacheFile,
        space: str,
        keys: Sequence[bytes],
        vectors: NDArray[np.float32],
        cut: NDArray[np.bool_],
    ) -> None:
        file.put(space, keys, vectors, cut, self._hour())
        size = file.size()
        if size > self._max_bytes:
            share = 1 - _FILLED * self._max_bytes / size
            file.drop_oldest(int(file.count() * share) + 1)

    def _hour(self) -> int:
        return int(self._clock()) // _HOUR_S

    def _attempt(self, work: Callable[[CacheFile], T], *, writes: bool = False) -> T | None:
        """Do `work` with the open file; None where that is not to be had.

        Where nothing can be written, what is there can still be read.
        """
        with self._lock:
            if self._off or (writes and self._read_only):
                return None
            try:
                return self._work(work)
            except (sqlite3.Error, OSError, OverflowError) as exc:
                # A full disk, a folder that cannot be written, a lock that is never given back.
                why = getattr(exc, "strerror", None) or exc
                if writes and self._file is not None:
                    self._read_only = True
                    log.warning("new vectors are not kept in the cache %s: %s", self._file.path, why)
                    return None
                self._off = True
                self._let_go()
                log.warning("the vector cache in %s is not used: %s", self._folder, why)
                return None

    def _work(self, work: Callable[[CacheFile], T]) -> T:
        try:
            return work(self._opened())
        except (sqlite3.Error, OverflowError) as exc:
            if not is_damage(exc):
                raise
            damaged = self._file.path if self._file is not None else current(self._folder)
            self._let_go()
            set_aside(self._folder, damaged, exc)
            return work(self._opened())

    def _opened(self) -> CacheFile:
        if self._file is not None and not self._file.path.exists():
            self._let_go()  # Cleared by another run: what comes now goes into the new file.
        if self._file is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._file = CacheFile(current(self._folder), busy_ms=self._busy_ms)
        return self._file

    def _let_go(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            with suppress(sqlite3.Error):
                file.close()


# SQLite keeps in memory which locks its process holds. A child would believe to hold those of its
# parent, which it does not, and write where it must not. So nobody is in the middle of anything at a
# fork, and the child, where it may neither use nor close what it has inherited, opens its own.
_CACHES: WeakSet[VectorCache] = WeakSet()
_INHERITED: list[CacheFile] = []
_forking = Lock()
_held: list[VectorCache] = []


def _before_fork() -> None:
    _forking.acquire()
    for cache in list(_CACHES):
        cache._lock.acquire()
        _held.append(cache)
        if cache._file is not None and cache._file.keeps_log:  # It holds locks all the time.
            cache._let_go()


def _after_fork() -> None:
    while _held:
        _held.pop()._lock.release()
    _forking.release()


def _after_fork_in_child() -> None:
    for cache in _held:
        if cache._file is not None:
            _INHERITED.append(cache._file)
            cache._file = None
    _after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork_in_child)


def set_aside(folder: Path, damaged: Path, why: Exception) -> None:
    """Begin a new file in place of a damaged one, unless another process has; the damaged one is kept."""
    if begin_next(folder, damaged, keep=1):
        log.warning("the vector cache %s is damaged (%s): it is set aside, and a new one begun", damaged, why)


def begin_next(folder: Path, path: Path, *, keep: int) -> bool:
    """Begin a new file in place of `path`, and remove the others but for the `keep` newest.

    Returns False where another process has begun one. Raises OSError.
    """
    from filelock import FileLock

    with FileLock(folder / "lock"):
        if current(folder) != path:
            return False
        next_file(path).touch()
        old = files(folder)[:-1]
        for one in old[: len(old) - keep]:
            cut_off(one)
    return True


def _hits(keys: Sequence[bytes], rows: Sequence[CacheEntry]) -> Hits:
    import numpy as np

    place = {key: row for row, key in enumerate(keys)}
    values = np.frombuffer(b"".join(row.value for row in rows), "<f4").reshape(len(rows), -1)
    return Hits(
        np.array([place[row.key] for row in rows], np.intp),
        values[:, :-1].astype(np.float32),  # The last four bytes are the checksum.
        np.array([row.cut for row in rows], np.bool_),
    )

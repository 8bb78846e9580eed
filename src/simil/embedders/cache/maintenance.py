"""Maintenance of the vector cache: inspect, verify, prune and clear it."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from simil.embedders.cache.database import CacheFile, Damaged, current, files, is_damage
from simil.embedders.cache.store import begin_next, cache_folder, set_aside
from simil.errors import Place, UsageError

__all__ = [
    "CacheInfo",
    "Pruned",
    "Sample",
    "Space",
    "Verified",
    "cache_path",
    "clear",
    "info",
    "prune",
    "sample",
    "verify",
]

_HOUR_S = 3600


@dataclass(frozen=True, slots=True)
class Space:
    """The vectors of one model: their number, and when one was last used, in seconds since 1970."""

    model: str
    vectors: int
    used: float


@dataclass(frozen=True, slots=True)
class CacheInfo:
    """What is in the cache; `size` and `max_bytes` are in bytes, `set_aside` are old damaged files."""

    path: Path
    vectors: int
    size: int
    max_bytes: int
    spaces: tuple[Space, ...]
    set_aside: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """How many vectors were checked, and how many of them are damaged."""

    checked: int
    damaged: int


@dataclass(frozen=True, slots=True)
class Verified:
    """How many vectors were checked, how many were damaged and dropped, and faults of the file itself."""

    path: Path
    checked: int
    dropped: int
    faults: tuple[str, ...]

    @property
    def is_sound(self) -> bool:
        """Whether no damage was found."""
        return not self.dropped and not self.faults


@dataclass(frozen=True, slots=True)
class Pruned:
    """How many vectors were dropped, and the size of the file before and after, in bytes."""

    dropped: int
    before: int
    after: int


class _CacheDamaged(UsageError):
    def __init__(self, path: Path, why: Exception) -> None:
        super().__init__(
            f"the vector cache is damaged: {why}", place=Place(str(path)), hint="run simil cache verify"
        )
        self.why = why


def cache_path(cache_dir: Path) -> Path:
    """Return the file of vectors that is in use, or that the first vector will create."""
    return current(cache_folder(cache_dir))


def info(cache_dir: Path, max_bytes: int) -> CacheInfo:
    """Return what is in the cache. Raises `UsageError` if it cannot be read."""
    path = cache_path(cache_dir)
    old = tuple(one for one in files(path.parent) if one != path)
    if not path.exists():
        return CacheInfo(path, 0, 0, max_bytes, (), old)
    with _opened(path) as file:
        spaces = tuple(Space(name, count, used * _HOUR_S) for name, count, used in file.spaces())
        return CacheInfo(path, file.count(), file.size(), max_bytes, spaces, old)


def sample(cache_dir: Path, most: int) -> Sample:
    """Check up to `most` vectors against their checksums, without changing anything.

    Raises `UsageError` if the file cannot be read or is damaged.
    """
    path = cache_path(cache_dir)
    if not path.exists():
        return Sample(0, 0)
    with _opened(path) as file:
        rows = [row.is_whole for row in islice(file.rows(), most)]
        return Sample(len(rows), rows.count(False))


def verify(cache_dir: Path) -> Verified:
    """Check every vector's checksum and the file's structure, and drop damaged vectors.

    A file with a damaged structure is set aside whole. Raises `UsageError` if it cannot be read.
    """
    path = cache_path(cache_dir)
    if not path.exists():
        return Verified(path, 0, 0, ())
    checked = dropped = 0
    try:
        with _opened(path) as file:
            faults = file.faults()
            if faults:
                raise Damaged(faults[0])
            damaged = []
            for row in file.rows():
                checked += 1
                if not row.is_whole:
                    damaged.append(row.key)
            dropped = len(damaged) + file.drop_strays()
            if damaged:
                file.drop(damaged)
    except _CacheDamaged as exc:
        set_aside(path.parent, path, exc.why)
        return Verified(path, checked, dropped, (str(exc.why),))
    return Verified(path, checked, dropped, ())


def prune(
    cache_dir: Path,
    *,
    older_than_s: float | None,
    max_bytes: int | None,
    clock: Callable[[], float] = time.time,
) -> Pruned:
    """Drop vectors unused for `older_than_s` seconds, then the least recently used down to `max_bytes`.

    Raises `UsageError` if the cache cannot be changed.
    """
    path = cache_path(cache_dir)
    if not path.exists():
        return Pruned(0, 0, 0)
    with _opened(path) as file:
        before = file.size()
        dropped = 0
        if older_than_s is not None:
            dropped += file.drop_unused(int(clock() - older_than_s) // _HOUR_S)
        while max_bytes is not None and (size := file.size()) > max_bytes and file.count():
            dropped += file.drop_oldest(int(file.count() * (1 - max_bytes / size)) + 1)
        if dropped:
            file.shrink()
        return Pruned(dropped, before, file.size())


def clear(cache_dir: Path) -> int:
    """Delete everything, and return how many bytes that frees. Raises `UsageError`."""
    path = cache_path(cache_dir)
    if not path.exists():
        return 0
    try:
        size = sum(one.stat().st_size for one in files(path.parent))
        begin_next(path.parent, path, keep=0)
    except OSError as exc:
        raise _unusable(path, exc) from exc
    return size


@contextmanager
def _opened(path: Path) -> Iterator[CacheFile]:
    try:
        file = CacheFile(path)
        try:
            yield file
        finally:
            file.close()
    except (sqlite3.Error, OSError, OverflowError) as exc:
        if is_damage(exc):
            raise _CacheDamaged(path, exc) from exc
        raise _unusable(path, exc) from exc


def _unusable(path: Path, exc: Exception) -> UsageError:
    why = getattr(exc, "strerror", None) or exc
    return UsageError(f"the vector cache cannot be used: {why}", place=Place(str(path)))

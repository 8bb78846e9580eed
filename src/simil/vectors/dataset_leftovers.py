"""What killed runs have left in the folder of a Lance dataset: found, and removed when nobody writes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from simil.errors import Place
from simil.formats.lance_files import open_dataset
from simil.formats.lance_library import lance_write_errors
from simil.formats.lance_paths import is_lance
from simil.formats.remote_paths import is_remote

__all__ = ["being_written", "remove_leftovers"]

# Another program that still writes has touched one of its files within this time.
_QUIET = timedelta(minutes=10)
# Lance keeps more there than it tracks.
_OF_VERSIONS = "_versions/"
_ALL_VERSIONS = timedelta(days=365 * 1000)


def remove_leftovers(path: str) -> int:
    """Remove the files of a dataset that no version of it refers to, and return their size in bytes.

    They are what a run that was killed has written and not committed. While a process of simil writes, or
    another program may, they stay: until Lance takes them for abandoned, after a week. In an object store,
    where nobody can tell, that is always so. All versions stay.
    """
    dataset = open_dataset(path)
    with lance_write_errors(Place(path)), _alone(path) as alone:
        found = dataset.cleanup_old_versions(_ALL_VERSIONS, delete_unverified=alone and _is_quiet(dataset))
    return int(found.bytes_removed)


@contextmanager
def being_written(path: str) -> Iterator[None]:
    """Keep `remove_leftovers` from taking for abandoned what this process writes and has not committed."""
    with _locked(path, exclusive=False):
        yield


@contextmanager
def _alone(path: str) -> Iterator[bool]:
    """Yield whether no process of simil on this machine writes; none begins while this lasts."""
    with _locked(path, exclusive=True) as is_locked:
        yield is_locked


@contextmanager
def _locked(path: str, *, exclusive: bool) -> Iterator[bool]:
    """Lock the folder of a dataset for as long as the process lives; yield whether that is possible."""
    try:
        import fcntl
    except ModuleNotFoundError:  # Windows.
        yield False
        return
    if is_remote(path) or not is_lance(path):
        yield False
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB if exclusive else fcntl.LOCK_SH)
            is_locked = True
        except OSError:  # Another process writes, or the file system has no locks.
            is_locked = False
        yield is_locked
    finally:
        os.close(descriptor)


def _is_quiet(dataset: Any) -> bool:
    """Return whether nobody has touched the files that no version refers to for a while."""
    tracked = {*dataset.tracked_files().read_all().column("path").to_pylist()}
    files = dataset.all_files().read_all().select(["path", "last_modified"]).to_pylist()
    touched = [
        file["last_modified"]
        for file in files
        if file["path"] not in tracked and not file["path"].startswith(_OF_VERSIONS)
    ]
    return not touched or max(touched) < datetime.now(UTC) - _QUIET

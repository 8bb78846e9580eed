"""Checks of storage: the cache directory, its disk, and the vectors in it."""

from __future__ import annotations

import os
import shlex
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from simil.embedders.cache.maintenance import info, sample
from simil.embedders.cache.store import cache_folder
from simil.errors import UsageError
from simil.models.hub.snapshots import hub_cache_dir
from simil.private_files import make_private, open_to_others, user_folder
from simil.tasks.doctor.findings import CheckContext, Finding, note, ok, warn

__all__ = ["directory", "disk", "permissions", "vectors"]

# Enough for a model of the default's size and its prepared graph.
_ROOM = 1e9
_SAMPLE = 1000
# What simil itself puts into its folders, which may be those of others, too.
_OURS = (
    "vectors",
    "prepared",
    "fingerprints",
    "generations",
    "hub-unreachable.json",
    "server-models",
    "calibrations",
    "trusted",
    "config.toml",
)


def directory(context: CheckContext) -> Iterator[Finding]:
    """Report the cache directory, its size, and whether it can be written."""
    name, path = "cache directory", context.settings.cache_dir
    size = f"{_size(path) / 1e6:,.0f} MB"
    try:
        make_private(path)
        with tempfile.TemporaryFile(dir=path) as file:
            file.write(b"simil")
    except OSError as exc:
        yield warn(
            name,
            f"{path} cannot be written ({exc.strerror or exc}): nothing is kept between runs",
            "make it writable, or set SIMIL_CACHE_DIR to a folder of yours",
        )
        return
    yield ok(name, f"{path}, {size}, can be written")


def permissions(context: CheckContext) -> Iterator[Finding]:
    """Report which folder of cached texts' vectors or of settings other users may read or write."""
    name = "permissions"
    folders = (context.settings.cache_dir, user_folder("config"))
    found = {folder: [*open_to_others(folder, _OURS)] for folder in dict.fromkeys(folders)}
    for folder, paths in found.items():
        if paths:
            more = f" and {len(paths) - 1:,} more" if len(paths) > 1 else ""
            yield warn(
                name,
                f"other users may read or write {paths[0]}{more}",
                f"run: chmod -R go-rwx {shlex.quote(str(folder))}",
            )
    if not any(found.values()):
        yield ok(name, "what simil keeps is private")


def disk(context: CheckContext) -> Iterator[Finding]:
    """Report the free space for models and vectors."""
    cache, hub = context.settings.cache_dir, hub_cache_dir()
    yield _room("disk", cache)
    if _existing(cache).stat().st_dev != _existing(hub).stat().st_dev:
        yield _room("disk of the hub's files", hub)


def _room(check: str, path: Path) -> Finding:
    usage = shutil.disk_usage(_existing(path))
    if not usage.total:  # A virtual file system.
        return note(check, f"the free space at {path} is unknown")
    summary = f"{usage.free / 1e9:,.1f} GB free of {usage.total / 1e9:,.1f}, at {path}"
    if usage.free < _ROOM:
        return warn(check, summary, "free some space: simil cache prune; or set SIMIL_CACHE_DIR and HF_HOME")
    return ok(check, summary)


def vectors(context: CheckContext) -> Iterator[Finding]:
    """Report the number of cached vectors, and whether a sample of them is intact."""
    name, settings = "vector cache", context.settings
    try:
        kept = info(settings.cache_dir, settings.cache_mb * 10**6)
        sampled = sample(settings.cache_dir, _SAMPLE)
    except UsageError as exc:
        where = f"{exc.place}: " if exc.place else ""
        # The next run sets it aside, or works without it.
        yield warn(
            name, f"{where}{exc.message}", exc.hint or "vectors are computed again until it can be used"
        )
        return
    except OSError as exc:
        yield warn(
            name,
            f"{cache_folder(settings.cache_dir)} cannot be read: {exc.strerror or exc}",
            "vectors are computed again until it can be read",
        )
        return
    summary = f"{kept.vectors:,} vectors, {kept.size / 1e6:,.1f} of {kept.max_bytes / 1e6:,.0f} MB"
    if sampled.damaged:
        yield warn(
            name, f"{summary}; {sampled.damaged} of {sampled.checked} are damaged", "run: simil cache verify"
        )
    elif kept.set_aside:
        yield warn(
            name, f"{summary}; a damaged file was set aside", "run: simil cache clear, which deletes it all"
        )
    elif sampled.checked:
        yield ok(name, f"{summary}; {sampled.checked:,} checked, all intact")
    else:
        yield ok(name, "empty")


def _size(folder: Path) -> int:
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += Path(parent, name).lstat().st_size
    return total


def _existing(path: Path) -> Path:
    """Return the innermost folder of a path that exists and is visible."""
    # Unlike pathlib's, this treats what may not be read as missing.
    return next(one for one in (path.absolute(), *path.absolute().parents) if os.path.exists(one))  # noqa: PTH110

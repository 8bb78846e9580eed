"""Taking a model off this machine: what was fetched of it and what was prepared from it, nothing else."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from simil.errors import ModelError, ModelNotFound, UsageError
from simil.models.graphs.build_once import made_of
from simil.models.hub.snapshots import RepoCache, hub_cache_dir
from simil.models.names import did_you_mean, near_repository
from simil.models.resolve import ModelRef, Provider

__all__ = ["Removed", "remove_model"]


@dataclass(frozen=True, slots=True)
class Removed:
    """What was taken away: `folders` that are gone, `freed` bytes."""

    folders: tuple[Path, ...]
    freed: int


def remove_model(ref: ModelRef, prepared_root: Path) -> Removed:
    """Delete a hub's model from the cache that all its libraries share, and what was prepared from it.

    What lies in the cache but belongs to other repositories, too, stays. Raises `UsageError` for a model
    that was not fetched by name, `ModelNotFound` where nothing of it is here, `ModelError` where it can't
    be deleted.
    """
    if ref.provider is not Provider.HUB:
        raise UsageError(f"{ref.target} cannot be removed: {_WHY[ref.provider]}")
    if ref.revision is not None:
        raise UsageError("a model is removed with all its revisions", hint="leave the @ away")
    cache = RepoCache(hub_cache_dir(), ref.target)
    folders = [*made_of(ref.target, prepared_root)]
    folders += [cache.folder] if os.path.lexists(cache.folder) else []
    if not folders:
        hint = did_you_mean(near_repository(ref.target)) or "simil models lists what is"
        raise ModelNotFound(f"{ref.target} is not on this machine", hint=hint)
    before = {file: size for folder in folders for file, size in _sizes(folder)}
    for folder in folders:
        try:
            if folder == cache.folder:
                _delete_repository(cache)
            else:
                shutil.rmtree(folder)
                Path(f"{folder}.lock").unlink(missing_ok=True)
        except OSError as exc:
            raise ModelError(
                f"{folder} cannot be removed: {exc.strerror or exc}", hint="remove it yourself"
            ) from exc
    return Removed(tuple(folders), sum(size for file, size in before.items() if not file.exists()))


_WHY = {
    Provider.EMBEDDED: "it is a part of simil",
    Provider.FOLDER: "the folder is yours; delete it yourself",
    Provider.OPENAI: "it runs behind an API",
    Provider.PLUGIN: "uninstall the package that brings it",
}


def _sizes(folder: Path) -> Iterator[tuple[Path, int]]:
    """Yield each file that the files of a folder are or lead to, with its bytes."""
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                file = Path(parent, name).resolve(strict=True)
                yield file, file.stat().st_size


def _delete_repository(cache: RepoCache) -> None:
    """Delete all of a repository; the library knows which of the shared files others still need."""
    from simil.models.hub.download import delete_cached

    delete_cached(cache.repo, cache.root)
    if cache.folder.is_symlink():
        cache.folder.unlink()
    elif cache.folder.exists():  # The library leaves what it finds no whole snapshot in.
        shutil.rmtree(cache.folder)
    shutil.rmtree(cache.root / ".locks" / cache.folder.name, ignore_errors=True)

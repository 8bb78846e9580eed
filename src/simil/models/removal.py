"""Removes a model from this machine: its downloaded files and the graphs prepared from them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from simil.errors import ModelError, ModelNotFound, UsageError
from simil.models.graphs.build_once import built_from
from simil.models.graphs.failed_exports import failures_of
from simil.models.graphs.generations import forget_built, prepared_root
from simil.models.hub.snapshots import RepoCache, hub_cache_dir
from simil.models.names import near_repository
from simil.models.resolve import ModelRef, Provider
from simil.near_names import did_you_mean

__all__ = ["RemovalResult", "remove_model"]

_NOT_REMOVABLE = {
    Provider.EMBEDDED: "it is part of simil",
    Provider.FOLDER: "the folder is yours; delete it yourself",
    Provider.OPENAI: "it runs behind an API",
    Provider.PLUGIN: "uninstall the package that provides it",
}


@dataclass(frozen=True, slots=True)
class RemovalResult:
    """The `folders` that were deleted, and how many bytes that `freed`."""

    folders: tuple[Path, ...]
    freed: int


def remove_model(ref: ModelRef, cache_dir: Path) -> RemovalResult:
    """Delete a model from the hub's cache, which other tools share, and what was prepared from it.

    `cache_dir` is simil's cache. Files that other repositories in the hub's cache need stay. Raises
    `UsageError` for a model that did not come from the hub, `ModelNotFound` if it is not on this machine,
    `ModelError` if it cannot be deleted.
    """
    if ref.provider is not Provider.HUB:
        raise UsageError(f"{ref.target} cannot be removed: {_NOT_REMOVABLE[ref.provider]}")
    if ref.revision is not None:
        raise UsageError("a model is removed with all its revisions", hint=f"leave out @{ref.revision}")
    cache = RepoCache(hub_cache_dir(), ref.target)
    folders = [*built_from(ref.target, prepared_root(cache_dir))]
    folders += [cache.folder] if os.path.lexists(cache.folder) else []
    if not folders:
        hint = did_you_mean(near_repository(ref.target)) or "simil models lists those that are"
        raise ModelNotFound(f"{ref.target} is not on this machine", hint=hint)
    before = {file: size for folder in folders for file, size in _file_sizes(folder)}
    for folder in folders:
        try:
            if folder == cache.folder:
                _delete_repository(cache)
            else:
                forget_built(folder)
                shutil.rmtree(folder)
                Path(f"{folder}.lock").unlink(missing_ok=True)
        except OSError as exc:
            raise ModelError(
                f"{folder} cannot be removed: {exc.strerror or exc}", hint="remove it yourself"
            ) from exc
    for file in failures_of(ref.target, prepared_root(cache_dir)):
        with suppress(OSError):  # It is removed in a month at the latest.
            file.unlink()
    return RemovalResult(tuple(folders), sum(size for file, size in before.items() if not file.exists()))


def _file_sizes(folder: Path) -> Iterator[tuple[Path, int]]:
    """Yield each file in a folder, or that a link in it leads to, with its size in bytes."""
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                file = Path(parent, name).resolve(strict=True)
                yield file, file.stat().st_size


def _delete_repository(cache: RepoCache) -> None:
    """Delete a whole repository; the library keeps the shared files that others still need."""
    from simil.models.hub.download import delete_cached

    delete_cached(cache.repo, cache.root)
    if cache.folder.is_symlink():
        cache.folder.unlink()
    elif cache.folder.exists():  # The library keeps a folder without a complete snapshot.
        shutil.rmtree(cache.folder)
    shutil.rmtree(cache.root / ".locks" / cache.folder.name, ignore_errors=True)

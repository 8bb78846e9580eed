"""Folders that are built once, by one process at a time, and then only read: sound, or built anew."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from simil.errors import ModelDamaged, Place
from simil.models.graphs.generations import Generation, forget_built, new_token
from simil.models.graphs.manifest import Manifest, read_manifest
from simil.private_files import FILE_MODE, make_private

__all__ = [
    "BuildFailed",
    "BuiltFolder",
    "build_once",
    "built_from",
    "is_sound",
    "mended",
    "open_built",
]

log = logging.getLogger("simil")

_UNFINISHED = ".new-"
_UNUSED_DAYS = 30
_DAY_S = 86_400


class BuildFailed(Exception):
    """The folder could not be built."""


@dataclass(frozen=True)
class BuiltFolder:
    """A folder that was found sound; `manifest` has its files' states at that time."""

    path: Path
    manifest: Manifest
    generation: Generation

    def expect_unchanged(self) -> None:
        """Raise `ModelDamaged` if a file has changed since the folder was found sound."""
        if not self.manifest.is_unchanged(self.path):
            raise self._changed()

    def read(self, name: str) -> bytes:
        """Return the content of a file; raises `ModelDamaged` if it has changed."""
        try:
            data = (self.path / name).read_bytes()
        except OSError:
            data = b""
        if hashlib.sha256(data).hexdigest() != self.manifest.files[name].sha256:
            raise self._changed()
        return data

    def verify(self) -> None:
        """Read every file in full; raises `ModelDamaged`, and removes the folder, if one is damaged."""
        if self.manifest.verified(self.path) is not None:
            return
        with suppress(OSError):
            _discard(self.path, self.generation, full=True)
        raise ModelDamaged(
            f"the prepared files of {self.manifest.model} are damaged",
            hint="run it again: they are built again, and so are cached vectors",
            place=Place(str(self.path)),
        )

    def _changed(self) -> ModelDamaged:
        return ModelDamaged(
            f"the prepared files of {self.manifest.model} changed while they were in use",
            hint="run it again",
            place=Place(str(self.path)),
        )


def is_sound(target: Path, *, full: bool = False) -> bool:
    """Say whether `target` exists and holds what was built; `full` is as in `open_built`."""
    return _checked(target, full=full) is not None


def open_built(target: Path, generation: Generation, *, full: bool = False) -> BuiltFolder | None:
    """Return `target` and note its use, None unless it is sound.

    Files in the state in which they were last found sound are read in full only if `full`, others always.
    """
    manifest = _checked(target, full=full)
    if manifest is None:
        return None
    _mark_used(target)
    generation.note(target)
    return BuiltFolder(target, manifest, generation)


def _checked(target: Path, *, full: bool) -> Manifest | None:
    """Return the manifest of a sound folder, None for any other."""
    manifest = read_manifest(target)
    if manifest is None:
        return None
    if not full and manifest.is_unchanged(target):
        return manifest if manifest.fits_samples(target) else None
    verified = manifest.verified(target)
    if verified is not None and verified != manifest:
        with suppress(OSError):  # If it cannot be written, the next start reads the files in full again.
            verified.write(target)
    return verified


def mended(generation: Generation) -> str:
    """Return the token after a look at what was built for the model, renewed if a folder is damaged or gone.

    A damaged folder is removed, with a warning. If the cache directory cannot be written, the token is that
    of this run alone.
    """
    for target in generation.built():
        if not is_sound(target):
            try:
                _discard(target, generation, full=False)
            except OSError as exc:
                log.info("%s cannot be replaced: %s", target, exc)
                return new_token()
    return generation.token()


def _discard(target: Path, generation: Generation, *, full: bool) -> None:
    """Remove a damaged folder, unless another process has; vectors that it made are out of reach first."""
    with _lock(target):
        if not generation.has_noted(target) or is_sound(target, full=full):
            return
        generation.renew()
        _warn_of(target, generation.name)
        if target.exists():
            shutil.rmtree(target)
        forget_built(target)


def _warn_of(target: Path, model: str) -> None:
    what = "were damaged" if target.exists() else "are gone"
    log.warning("the prepared files of %s %s: they are built again, and so are cached vectors", model, what)


def _mark_used(target: Path) -> None:
    """Record, once a day, that `target` is in use, so that it is not pruned."""
    with suppress(OSError):
        if time.time() - target.stat().st_mtime > _DAY_S:
            os.utime(target)


def built_from(model: str, root: Path) -> list[Path]:
    """Return the folders in `root` that were built from a model, in any state and by any version."""
    found: list[Path] = []
    try:
        targets = sorted(root.glob("*/"))
    except OSError:  # A folder that may not be read holds nothing of use.
        return found
    for target in targets:
        with suppress(OSError, ValueError, KeyError, TypeError):
            if json.loads((target / "meta.json").read_bytes())["model"] == model:
                found.append(target)
    return found


def build_once(
    target: Path, build: Callable[[Path], None], *, generation: Generation, full: bool = False
) -> BuiltFolder:
    """Have `build` fill a temporary folder that becomes `target`, unless `target` is already sound.

    `full` is as in `open_built`. A damaged `target` is replaced with a warning, once its vectors are out of
    reach. Raises OSError if nothing can be written, `BuildFailed` if the result is not sound.
    """
    with _lock(target):
        ready = open_built(target, generation, full=full)
        if ready:
            return ready
        unfinished = f"{_UNFINISHED}{target.name}-"
        for left in target.parent.glob(f"{unfinished}*"):  # By a process that was killed: the lock is ours.
            shutil.rmtree(left, ignore_errors=True)
        temporary = Path(tempfile.mkdtemp(prefix=unfinished, dir=target.parent))
        try:
            build(temporary)
            with suppress(OSError):  # Not every file system has modes.
                for path in temporary.iterdir():
                    path.chmod(FILE_MODE)
            Manifest.of(temporary, generation.name).write(temporary)
            if target.exists() or generation.has_noted(target):
                generation.renew()
                _warn_of(target, generation.name)
                shutil.rmtree(target, ignore_errors=True)
            temporary.rename(target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        _prune(target.parent)
    built = open_built(target, generation)
    if built is None:
        raise BuildFailed("what was written is not there")
    return built


@contextmanager
def _lock(target: Path) -> Iterator[None]:
    from filelock import FileLock

    make_private(target.parent.parent, target.parent)
    with FileLock(f"{target}.lock", mode=FILE_MODE):
        yield


def _prune(root: Path) -> None:
    """Remove folders that no run has used for a month, and those that a killed run left unfinished."""
    for path in root.iterdir():
        with suppress(OSError):
            days = 1 if path.name.startswith(_UNFINISHED) else _UNUSED_DAYS
            if time.time() - path.stat().st_mtime > days * _DAY_S:
                forget_built(path)
                shutil.rmtree(path) if path.is_dir() else path.unlink()

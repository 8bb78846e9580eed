"""A model's files on this machine, and the digests that identify a state of them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

from simil.errors import ModelDamaged, Place
from simil.frozen import Frozen
from simil.models.catalog import ModelInfo
from simil.models.files.chain import read_object
from simil.models.graphs.manifest import file_state
from simil.private_files import make_private, write_private

__all__ = ["ModelSource", "embedded_source", "verify_embedded"]

EMBEDDED = Path(__file__).parents[1] / "minilm"
# What only its preparation reads, which checks all files; afterwards a change of them harms nothing.
_PREPARED_ONLY = ("model.safetensors", "tokenizer.json")


class ModelSource(Frozen):
    """A model in a folder.

    `name` is its name in outputs. `revision` is the hub's commit, the embedded model's digest, or None
    for a user's folder, whose revision depends on its contents (see `stamp`).
    """

    name: str
    folder: Path
    revision: str | None = None
    info: ModelInfo | None = None
    embedded: bool = False

    @property
    def state(self) -> str:
        """A digest of the files' names, sizes and times, which changes with any file; reads no contents."""
        return self._states[0]

    @cached_property
    def _states(self) -> tuple[str, str]:
        """The state that a copy of the files may have too, and one that also changes with any write."""
        return self._present_states()

    def _present_states(self) -> tuple[str, str]:
        states = {path.relative_to(self.folder): file_state(path) for path in sorted(self._files())}
        return _digest(self.folder, {path: state[:2] for path, state in states.items()}), _digest(
            self.folder, states
        )

    def expect_unchanged(self) -> None:
        """Raise `ModelDamaged` if a file has changed since this object first looked at them."""
        if self._present_states() != self._states:
            raise ModelDamaged(
                "the model's files changed while they were read",
                hint="run it again",
                place=Place(str(self.folder)),
            )

    def verify(self, part: str = "") -> None:
        """Read the files in full, or those of one folder; raises `ModelDamaged` if one is not as published.

        The files of a user's folder are what they are.
        """
        if self.embedded:
            verify_embedded()
        elif self.revision is not None:
            from simil.models.hub.verify import altered_file

            try:
                altered = altered_file(self.folder / part)
            except OSError as exc:
                raise ModelDamaged(f"cannot be read: {exc}", place=Place(str(self.folder))) from exc
            if altered is not None:
                raise ModelDamaged(
                    f"a file of {self.name} was altered",
                    place=Place(str(altered)),
                    hint=f"run: simil models pull {self.name}",
                )

    def stamp(self, cache_dir: Path) -> str:
        """Return `name@revision`, with the revision's first 12 digits.

        For a user's folder the revision is a digest of its contents, computed once and kept in `cache_dir`
        for this state of the files.
        """
        return f"{self.name}@{self.digest(cache_dir)[:12]}"

    def digest(self, cache_dir: Path) -> str:
        """Return the whole revision; see `stamp`."""
        return self.revision or self._contents_digest(cache_dir)

    def _contents_digest(self, cache_dir: Path) -> str:
        saved = cache_dir / "fingerprints" / self._states[1]
        with suppress(OSError, ValueError):
            digest, checksum = saved.read_text("ascii").split(" ")
            if checksum == _checksum(saved.name, digest):
                return digest
        contents = hashlib.sha256()
        for path in sorted(self._files()):
            contents.update(os.fsencode(f"{path.relative_to(self.folder)}\0{_sha256(path)}\0"))
        digest = contents.hexdigest()
        self.expect_unchanged()
        with suppress(OSError):  # If it cannot be saved, the next run is slower.
            make_private(cache_dir, saved.parent)
            write_private(saved, f"{digest} {_checksum(saved.name, digest)}".encode())
        return digest

    def _files(self) -> list[Path]:
        """Return the model's files, without its documentation and hidden files."""
        found = []
        for parent, folders, names in os.walk(self.folder):
            folders[:] = [name for name in folders if not name.startswith((".", "__"))]
            found += [
                Path(parent, name) for name in names if not name.startswith(".") and not name.endswith(".md")
            ]
        return [path for path in found if path.is_file()]


def embedded_source(info: ModelInfo) -> ModelSource:
    """Return the model that ships inside the package.

    Raises `ModelDamaged` if a file of it is missing, or if one that every start reads was altered.
    """
    origin = _read_origin()
    for name, expected in origin["sha256"].items():
        path = EMBEDDED / name
        if not path.is_file():
            raise _embedded_damaged("a file of the embedded model is missing", path)
        if name not in _PREPARED_ONLY and _sha256(path) != expected:
            raise _embedded_damaged("a file of the embedded model was altered", path)
    revision = origin["source_sha256"]["model.safetensors"]
    return ModelSource("all-MiniLM-L6-v2", EMBEDDED, revision, info, embedded=True)


def verify_embedded() -> None:
    """Check every file of the embedded model against its SHA-256; raises `ModelDamaged` if one differs."""
    for name, expected in _read_origin()["sha256"].items():
        path = EMBEDDED / name
        if _sha256(path) != expected:
            raise _embedded_damaged("a file of the embedded model was altered", path)


def _read_origin() -> dict[str, Any]:
    """Return the source of the embedded model's files, and the SHA-256 that each of them must have."""
    path = EMBEDDED / "origin.json"
    origin = read_object(path)
    if origin is None:
        raise _embedded_damaged("the embedded model is missing", EMBEDDED)
    with suppress(KeyError, TypeError):
        if isinstance(origin["sha256"], dict) and origin["source_sha256"]["model.safetensors"]:
            return origin
    raise _embedded_damaged("a file of the embedded model was altered", path)


def _embedded_damaged(what: str, path: Path) -> ModelDamaged:
    return ModelDamaged(what, place=Place(str(path)), hint="reinstall simil-cli")


def _digest(folder: Path, states: Mapping[Path, list[int]]) -> str:
    entries = (f"{path}\0{state}" for path, state in states.items())
    return hashlib.sha256(os.fsencode("\0".join([str(folder), *entries]))).hexdigest()


def _checksum(state: str, digest: str) -> str:
    return hashlib.sha256(f"{state} {digest}".encode()).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

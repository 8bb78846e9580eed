"""A model's files on this machine, and what tells one state of them from another."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from simil.errors import ModelDamaged, Place
from simil.models.catalog import ModelInfo
from simil.models.files.chain import read_object

__all__ = ["ModelSource", "embedded_source", "verify_embedded"]

EMBEDDED = Path(__file__).parents[1] / "minilm"
_HOW_TO_MEND = "install simil-cli again"


@dataclass(frozen=True)
class ModelSource:
    """One model in a folder.

    `name` is what outputs call it; `revision` is the hub's commit, the embedded model's digest, or
    None for a folder, whose contents are its revision (see `stamp`).
    """

    name: str
    folder: Path
    revision: str | None = None
    info: ModelInfo | None = None
    embedded: bool = False

    @cached_property
    def state(self) -> str:
        """A digest of the files' names, sizes and times: changes when a file does, costs no reading."""
        entries = []
        for path in sorted(self._files()):
            status = path.stat()
            entries.append(f"{path.relative_to(self.folder)}\0{status.st_size}\0{status.st_mtime_ns}")
        return hashlib.sha256("\0".join([str(self.folder), *entries]).encode()).hexdigest()

    def stamp(self, cache_dir: Path) -> str:
        """Return `name@revision`, the revision shortened to 12 digits.

        For a folder the revision is a digest of its contents: read whole the first time, then
        remembered in `cache_dir` for this state of the files.
        """
        return f"{self.name}@{self.digest(cache_dir)[:12]}"

    def digest(self, cache_dir: Path) -> str:
        """Return the whole revision; see `stamp`."""
        return self.revision or self._contents(cache_dir)

    def _contents(self, cache_dir: Path) -> str:
        remembered = cache_dir / "fingerprints" / self.state
        try:
            digest = remembered.read_text("ascii")
            if len(digest) == 64:
                return digest
        except (OSError, UnicodeDecodeError):
            pass
        whole = hashlib.sha256()
        for path in sorted(self._files()):
            whole.update(f"{path.relative_to(self.folder)}\0{_sha256(path)}\0".encode())
        try:
            remembered.parent.mkdir(parents=True, exist_ok=True)
            temporary = remembered.with_suffix(f".{os.getpid()}")
            temporary.write_text(whole.hexdigest(), "ascii")
            temporary.replace(remembered)
        except OSError:
            pass  # Not remembered is only slower.
        return whole.hexdigest()

    def _files(self) -> list[Path]:
        """What the model consists of; not its documentation, and nothing hidden."""
        found = []
        for parent, folders, names in os.walk(self.folder):
            folders[:] = [name for name in folders if not name.startswith((".", "__"))]
            found += [
                Path(parent, name) for name in names if not name.startswith(".") and not name.endswith(".md")
            ]
        return [path for path in found if path.is_file()]


def embedded_source(info: ModelInfo) -> ModelSource:
    """Return the model that ships inside the package; `ModelDamaged` where its files are missing."""
    origin = _origin()
    for name in origin["sha256"]:
        if not (EMBEDDED / name).is_file():
            raise ModelDamaged(
                "a file of the embedded model is missing",
                place=Place(str(EMBEDDED / name)),
                hint=_HOW_TO_MEND,
            )
    revision = origin["source_sha256"]["model.safetensors"]
    return ModelSource("all-MiniLM-L6-v2", EMBEDDED, revision, info, embedded=True)


def verify_embedded() -> None:
    """Check every shipped file against the SHA-256 beside it; `ModelDamaged` names one that differs."""
    for name, expected in _origin()["sha256"].items():
        path = EMBEDDED / name
        if _sha256(path) != expected:
            raise ModelDamaged(
                "a file of the embedded model was altered", place=Place(str(path)), hint=_HOW_TO_MEND
            )


def _origin() -> dict[str, Any]:
    """Return what the shipped files are made of, and the SHA-256 each of them must have."""
    path = EMBEDDED / "origin.json"
    origin = read_object(path)
    if origin is None:
        raise ModelDamaged("the embedded model is missing", place=Place(str(EMBEDDED)), hint=_HOW_TO_MEND)
    try:
        if isinstance(origin["sha256"], dict) and origin["source_sha256"]["model.safetensors"]:
            return origin
    except (KeyError, TypeError):
        pass
    raise ModelDamaged("a file of the embedded model was altered", place=Place(str(path)), hint=_HOW_TO_MEND)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

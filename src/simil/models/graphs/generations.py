"""The generation of a model's vectors: a token in their cache keys, renewed when older ones may be wrong.

A graph that turns out to be damaged has made vectors that are in the cache. To renew the token puts all of
them out of reach at once, also those that another process is about to write. The same happens if a graph is
gone and simil has not removed it: whoever deletes it has a reason to distrust it. So simil notes here, apart
from the graphs themselves, which ones it has built::

    <cache>/generations/<model>/=token     the token; absent until the first renewal
                               /<folder>   an empty file for each prepared folder
"""

from __future__ import annotations

import hashlib
import os
import re
from contextlib import suppress
from pathlib import Path

from simil.frozen import Frozen
from simil.models.files.model_source import ModelSource
from simil.models.graphs.manifest import read_manifest
from simil.private_files import FILE_MODE, make_private, write_private

__all__ = ["Generation", "all_built", "forget_built", "new_token", "prepared_root", "state_folder"]

# No folder has such a name.
_TOKEN = "=token"
_ROOT = "generations"


class Generation(Frozen):
    """What is noted of one state of a model in simil's cache directory; `name` is the model's."""

    name: str
    folder: Path

    @classmethod
    def of(cls, source: ModelSource, cache_dir: Path) -> Generation:
        """Return the generation of a model's present files."""
        return cls(source.name, cache_dir / _ROOT / f"{_slug(source)}-{source.digest(cache_dir)[:20]}")

    def token(self) -> str:
        """Return the token, "" if it was never renewed."""
        try:
            token = (self.folder / _TOKEN).read_text("utf-8", "replace")
        except OSError:
            return ""
        return token or "emptied"  # For the first generation may hold what the damaged graph made.

    def renew(self) -> None:
        """Put all vectors so far out of reach; raises OSError."""
        self._make_folder()
        write_private(self.folder / _TOKEN, new_token().encode())

    def built(self) -> list[Path]:
        """Return the folders that were built from this state of the model and not removed by simil."""
        try:
            names = os.listdir(self.folder)  # noqa: PTH208 (the quickest, and every start does it)
        except OSError:
            return []
        root = prepared_root(self.folder.parent.parent)
        return [root / name for name in sorted(names) if not name.startswith(_TOKEN)]

    def is_undisturbed(self) -> bool:
        """Say whether the files of all that was built have the states in which they were found sound."""
        for target in self.built():
            manifest = read_manifest(target)
            if manifest is None or not manifest.is_unchanged(target):
                return False
        return True

    def note(self, target: Path) -> None:
        """Note that `target` was built."""
        with suppress(OSError):
            if not (self.folder / target.name).exists():
                self._make_folder()
                (self.folder / target.name).touch(FILE_MODE)

    def _make_folder(self) -> None:
        make_private(self.folder.parent.parent, self.folder.parent, self.folder)

    def has_noted(self, target: Path) -> bool:
        """Say whether `target` was built and not removed by simil."""
        return (self.folder / target.name).exists()


def new_token() -> str:
    """Return a token that no vector has."""
    return os.urandom(8).hex()


def forget_built(target: Path) -> None:
    """Forget that `target` was built, before simil removes it."""
    with suppress(OSError):
        for noted in (target.parent.parent / _ROOT).glob(f"*/{target.name}"):
            noted.unlink()


def all_built(cache_dir: Path) -> list[Path]:
    """Return the folders that were built from any model and not removed by simil."""
    try:
        folders = sorted((cache_dir / _ROOT).glob("*/"))
    except OSError:  # A folder that may not be read holds nothing of use.
        return []
    return [target for folder in folders for target in Generation(folder.name, folder).built()]


def prepared_root(cache_dir: Path) -> Path:
    """Return the folder that holds the prepared graphs of all models."""
    return cache_dir / "prepared"


def state_folder(source: ModelSource, cache_dir: Path, versions: str, label: str = "") -> Path:
    """Return where what is built of `source` in its present state is kept; it may not exist yet.

    `versions` are those of what builds it; `label` tells it from other things that are built of the model.
    """
    key = hashlib.sha256(f"{source.state} {source.digest(cache_dir)} {versions}".encode()).hexdigest()
    return prepared_root(cache_dir) / f"{_slug(source)}-{label}{key[:20]}"


def _slug(source: ModelSource) -> str:
    return re.sub(r"[^\w.-]+", "-", source.name)

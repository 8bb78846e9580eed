"""The list of a built folder's files: what each must be, and its state when it was last read in full.

To read every byte of the weights would make a short run much slower. So a start compares each file's state
(size, times, inode) with the recorded one, and the digest of a sample of its blocks. The system itself sets
the time of a file's last change, so whatever is written to a file shows; what a failing disk alters shows
only if it is in the sample, or when the file is read in full.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from simil.frozen import Frozen

__all__ = ["FileRecord", "Manifest", "file_state", "read_manifest"]

_NAME = "meta.json"
_BLOCKS, _BLOCK_BYTES = 64, 4096
# Systems count a file's times in ticks of up to 10 ms: of two changes within one, the second would not show.
_TICK_S = 0.02


class FileRecord(Frozen):
    """The digests of a file and of a sample of its blocks, and its state when they were computed."""

    sha256: str
    sample: str
    state: list[int]

    @classmethod
    def of(cls, path: Path) -> FileRecord:
        """Read a file in full; raises OSError, also if it changes meanwhile."""
        state = file_state(path)
        time.sleep(min(max(state[2] / 1e9 + _TICK_S - time.time(), 0), _TICK_S))
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            record = cls(digest, _sample(file, state[0]), state)
        if file_state(path) != state:
            raise OSError(f"{path} changed while it was read")
        return record


class Manifest(Frozen):
    """The files of a folder by name; `model` names what it was built from."""

    model: str
    files: Mapping[str, FileRecord]

    @classmethod
    def of(cls, folder: Path, model: str) -> Manifest:
        """Return the manifest of all files in `folder`, once they are safe on the disk; raises OSError."""
        paths = sorted(folder.iterdir())
        for path in paths:
            with path.open("rb+") as file:
                os.fsync(file.fileno())
        return cls(model, {path.name: FileRecord.of(path) for path in paths})

    def is_unchanged(self, folder: Path) -> bool:
        """Say whether every file has its recorded state."""
        try:
            return all(file_state(folder / name) == record.state for name, record in self.files.items())
        except OSError:
            return False

    def fits_samples(self, folder: Path) -> bool:
        """Say whether the sampled blocks of every file have their recorded digest."""
        try:
            for name, record in self.files.items():
                with (folder / name).open("rb", buffering=0) as file:
                    if _sample(file, record.state[0]) != record.sample:
                        return False
        except OSError:
            return False
        return True

    def verified(self, folder: Path) -> Manifest | None:
        """Read every file in full; return the manifest with their present states, None if one differs."""
        try:
            found = {name: FileRecord.of(folder / name) for name in self.files}
        except OSError:
            return None
        if any(found[name].sha256 != record.sha256 for name, record in self.files.items()):
            return None
        return Manifest(self.model, found)

    def write(self, folder: Path) -> None:
        """Write the manifest into `folder`, whole or not at all; raises OSError."""
        from simil.private_files import write_private

        files = {name: record.by_name() for name, record in self.files.items()}
        content = {"model": self.model, "files": files}
        write_private(folder / _NAME, json.dumps({"checksum": _checksum(content), **content}).encode())


def read_manifest(folder: Path) -> Manifest | None:
    """Return the manifest in `folder`, None if there is none or if it is not as it was written."""
    try:
        content = json.loads((folder / _NAME).read_bytes())
        if content.pop("checksum") != _checksum(content):
            return None
        files = {name: FileRecord(**record) for name, record in content["files"].items()}
        return Manifest(content["model"], files)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def file_state(path: Path) -> list[int]:
    """Return what changes with any change of a file: size, times in ns, inode. Raises OSError."""
    status = path.stat()
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]


def _checksum(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _sample(file: BinaryIO, size: int) -> str:
    """Return the digest of blocks spread evenly over an open file, its first and last ones among them."""
    digest = hashlib.sha256()
    last = max(size - _BLOCK_BYTES, 0)
    for number in range(_BLOCKS):
        file.seek(last * number // (_BLOCKS - 1))
        digest.update(file.read(_BLOCK_BYTES))
    return digest.hexdigest()

"""Checks that a file is the one that the hub announced: after its download, and later by its blob's name."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

__all__ = ["RemoteFile", "altered_file", "is_sound", "mismatch"]

_SHA256, _SHA1 = re.compile("[0-9a-f]{64}"), re.compile("[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file as the hub announces it: its `size` in bytes, and one of two digests of its content.

    `sha256` is the digest of a file in large file storage, `git_id` that of any other: the SHA-1 of
    `blob <size>`, a NUL and the content. None means that the hub did not say.
    """

    name: str
    size: int | None = None
    sha256: str | None = None
    git_id: str | None = None


def is_sound(remote: RemoteFile) -> bool:
    """Say whether an announced file has a name that stays in its folder, a size and digests that can be."""
    sizes = remote.size is None or (type(remote.size) is int and remote.size >= 0)
    sha256 = remote.sha256 is None or (isinstance(remote.sha256, str) and _SHA256.fullmatch(remote.sha256))
    git_id = remote.git_id is None or (isinstance(remote.git_id, str) and _SHA1.fullmatch(remote.git_id))
    return isinstance(remote.name, str) and _is_inside(remote.name) and bool(sizes and sha256 and git_id)


def _is_inside(name: str) -> bool:
    """Return whether a file of this name stays in its folder, on POSIX and on Windows."""
    posix, windows = PurePosixPath(name), PureWindowsPath(name)
    return bool(posix.parts) and not (
        posix.is_absolute() or windows.anchor or ".." in windows.parts or not name.isprintable()
    )


def mismatch(path: Path, remote: RemoteFile) -> str | None:
    """Return what differs from the announced file: "size", "SHA-256", "git blob id", or None for nothing.

    Raises OSError if the file cannot be read.
    """
    import hashlib

    size = path.stat().st_size
    if remote.size is not None and size != remote.size:
        return "size"
    if remote.sha256 is not None:
        digest, expected, what = hashlib.sha256(), remote.sha256, "SHA-256"
    elif remote.git_id is not None:
        header = b"blob %d\0" % size
        digest, expected, what = hashlib.sha1(header, usedforsecurity=False), remote.git_id, "git blob id"
    else:
        return None
    with path.open("rb") as content:
        hashlib.file_digest(content, lambda: digest)
    return None if digest.hexdigest() == expected else what


def altered_file(folder: Path) -> Path | None:
    """Return a file in a folder of the hub's cache whose content is not what its blob's name says.

    None if there is none. A blob is named by the digest that its server gave: the SHA-256 of a large file,
    the git id of any other; some mirrors give the SHA-1. A file that is not a link to a blob is not checked.
    Raises OSError if a file cannot be read.
    """
    for parent, _, names in os.walk(folder):
        for name in sorted(names):
            path = Path(parent, name)
            if not path.is_symlink():
                continue
            digest = path.readlink().name
            if (_SHA1.fullmatch(digest) or _SHA256.fullmatch(digest)) and not _has_digest(path, digest):
                return path
    return None


def _has_digest(path: Path, digest: str) -> bool:
    import hashlib

    if len(digest) == 64:
        return mismatch(path, RemoteFile(path.name, sha256=digest)) is None
    if mismatch(path, RemoteFile(path.name, git_id=digest)) is None:
        return True
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha1").hexdigest() == digest

"""Checks that a downloaded file is the one that the hub announced."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["RemoteFile", "mismatch"]


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

"""Whether a downloaded file is the one that the hub announced."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["Announced", "mismatch"]

_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Announced:
    """What the hub says of a file: `size` in bytes, and one of two digests of its content.

    `sha256` is that of a file in large file storage, `git_id` that of any other: the SHA-1 of
    `blob <size>`, a NUL and the content. None is what the hub did not say.
    """

    name: str
    size: int | None = None
    sha256: str | None = None
    git_id: str | None = None


def mismatch(path: Path, announced: Announced) -> str | None:
    """Return which announced fact the file contradicts: "size", "SHA-256", "git blob id", or None.

    Raises OSError where the file cannot be read.
    """
    import hashlib

    size = path.stat().st_size
    if announced.size is not None and size != announced.size:
        return "size"
    if announced.sha256 is not None:
        digest, expected, what = hashlib.sha256(), announced.sha256, "SHA-256"
    elif announced.git_id is not None:
        digest, expected, what = hashlib.sha1(usedforsecurity=False), announced.git_id, "git blob id"
        digest.update(b"blob %d\0" % size)
    else:
        return None
    with path.open("rb") as content:
        while piece := content.read(_PIECE):
            digest.update(piece)
    return None if digest.hexdigest() == expected else what

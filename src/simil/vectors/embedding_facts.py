"""How the texts of a dataset were embedded, which those that are added must be, too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from simil.formats.arrow_library import arrow

__all__ = ["EmbeddingFacts", "text_hashes"]

_KIND, _NORMALIZED = b"simil.kind", b"simil.normalized"
_HASH_BYTES = 8


@dataclass(frozen=True, slots=True)
class EmbeddingFacts:
    """What the texts were to the model ("query", "document", "symmetric"), and if vectors have length 1."""

    kind: str
    normalized: bool

    @classmethod
    def of(cls, metadata: Mapping[bytes, bytes] | None) -> EmbeddingFacts | None:
        """Return what the metadata of a schema say; None if they do not."""
        found = metadata or {}
        if not {_KIND, _NORMALIZED} <= found.keys():
            return None
        return cls(found[_KIND].decode("utf-8", "replace"), found[_NORMALIZED] == b"true")

    def metadata(self) -> dict[bytes, bytes]:
        """Return them as metadata of a schema."""
        return {_KIND: self.kind.encode(), _NORMALIZED: b"true" if self.normalized else b"false"}

    def __str__(self) -> str:
        return f"{self.kind} texts, {'' if self.normalized else 'not '}normalized"


def text_hashes(texts: Sequence[str | None]) -> Any:
    """Return a column of 64-bit hashes, by which equal texts are found; null for a missing text."""
    hashes = [None if text is None else _hash(text) for text in texts]
    return arrow().array(hashes, arrow().int64())


def _hash(text: str) -> int:
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_HASH_BYTES).digest()
    return int.from_bytes(digest, "little", signed=True)

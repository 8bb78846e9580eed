"""How the texts of a dataset were embedded, which those that are added must be, too."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from simil.formats.arrow_library import arrow

__all__ = ["EmbeddingFacts", "text_hashes"]

_KIND, _NORMALIZED, _IGNORED = b"simil.kind", b"simil.normalized", b"simil.ignored"
_HASH_BYTES = 8


@dataclass(frozen=True, slots=True)
class EmbeddingFacts:
    """What the texts were to the model ("query", "document", "symmetric"), and if vectors have length 1.

    `ignored` are the regular expressions of what was cut out of the texts.
    """

    kind: str
    normalized: bool
    ignored: tuple[str, ...] = ()

    @classmethod
    def of(cls, metadata: Mapping[bytes, bytes] | None) -> EmbeddingFacts | None:
        """Return what the metadata of a schema say; None if they do not."""
        found = metadata or {}
        if not {_KIND, _NORMALIZED} <= found.keys():
            return None
        ignored = tuple(json.loads(found.get(_IGNORED, b"[]")))
        return cls(found[_KIND].decode("utf-8", "replace"), found[_NORMALIZED] == b"true", ignored)

    def metadata(self) -> dict[bytes, bytes]:
        """Return them as metadata of a schema."""
        facts = {_KIND: self.kind.encode(), _NORMALIZED: b"true" if self.normalized else b"false"}
        return facts | ({_IGNORED: json.dumps(self.ignored).encode()} if self.ignored else {})

    def __str__(self) -> str:
        without = f" without {' and '.join(map(repr, self.ignored))}" if self.ignored else ""
        return f"{self.kind} texts{without}, {'' if self.normalized else 'not '}normalized"


def text_hashes(texts: Sequence[str | None]) -> Any:
    """Return a column of 64-bit hashes, by which equal texts are found; null for a missing text."""
    hashes = [None if text is None else _hash(text) for text in texts]
    return arrow().array(hashes, arrow().int64())


def _hash(text: str) -> int:
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_HASH_BYTES).digest()
    return int.from_bytes(digest, "little", signed=True)

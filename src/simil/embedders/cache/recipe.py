"""What a vector depends on, and the key that stands for it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

from simil.embedders.base import Kind

__all__ = ["Recipe"]

# Raise when the same recipe would give other vectors than before: when windows are cut elsewhere, or
# a pooling is corrected.
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that makes a vector out of a text, but the text and what one run asks for.

    `backend` says who computes ("local", or an API and its address), `model` and `revision` which model,
    `precision` in how many bits, `pipeline` how the tokens' vectors become one, `prompts` what is put
    before a text of each kind, `max_tokens` and `overflow` what happens to a long text.
    """

    backend: str
    model: str
    revision: str = ""
    precision: str = ""
    pipeline: str = ""
    prompts: Mapping[Kind, str] = field(default_factory=dict)
    max_tokens: int | None = None
    overflow: str = ""

    def keys(
        self, texts: Sequence[str], kind: Kind, dimensions: int | None, *, normalize: bool
    ) -> list[bytes]:
        """Return the key of each text: 32 bytes, SHA-256 over everything that its vector depends on."""
        how = asdict(self) | {
            "version": _VERSION,
            "prompts": self.prompts.get(kind, ""),
            "dimensions": dimensions,
            "normalize": normalize,
        }
        # A digest has one length, so where it ends and the text begins is never in doubt.
        # Escapes would make one of two halves of a character and the character.
        told = json.dumps(how, sort_keys=True, ensure_ascii=False)
        head = hashlib.sha256(told.encode("utf-8", "surrogatepass")).digest()
        # Of a text that is not Unicode the model will say so; that it has a key does no harm.
        return [hashlib.sha256(head + text.encode("utf-8", "surrogatepass")).digest() for text in texts]

"""What a vector depends on, and the key that stands for it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

from simil.embedders.base import Kind, VectorForm

__all__ = ["Recipe"]

# Raise when the same recipe would give other vectors than before: when windows are cut elsewhere, or
# a pooling is corrected.
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that makes a vector out of a text, but the text and what one run asks for.

    `backend` says who computes ("local", or an API and its address), `model` and `revision` which model,
    `precision` in how many bits, `pipeline` how the tokens' vectors become one, `prompts` what is put
    before a text of each kind, `max_tokens` and `overflow` what happens to a long text. Of texts with at
    most `fits_bytes` bytes it is known that nothing happens to them: their keys do not depend on `overflow`.
    """

    backend: str
    model: str
    revision: str = ""
    precision: str = ""
    pipeline: str = ""
    prompts: Mapping[Kind, str] = field(default_factory=dict)
    max_tokens: int | None = None
    overflow: str = ""
    fits_bytes: int = -1

    def keys(self, texts: Sequence[str], kind: Kind, form: VectorForm) -> list[bytes]:
        """Return the key of each text: 32 bytes, SHA-256 over everything that its vector depends on."""
        head, head_of_short = self._head(kind, form, self.overflow), self._head(kind, form, "")
        keys = []
        for text in texts:
            # Of a text that is not Unicode the model will say so; that it has a key does no harm.
            encoded = text.encode("utf-8", "surrogatepass")
            start = head_of_short if len(encoded) <= self.fits_bytes else head
            keys.append(hashlib.sha256(start + encoded).digest())
        return keys

    def _head(self, kind: Kind, form: VectorForm, overflow: str) -> bytes:
        how = asdict(self) | {
            "version": _VERSION,
            "prompts": self.prompts.get(kind, ""),
            "overflow": overflow,
            **asdict(form),
        }
        del how["fits_bytes"]
        # A digest has one length, so where it ends and the text begins is never in doubt.
        # Escapes would make one of two halves of a character and the character.
        told = json.dumps(how, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(told.encode("utf-8", "surrogatepass")).digest()

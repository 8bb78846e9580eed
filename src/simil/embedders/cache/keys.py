"""The cache key of a text: a hash of everything that its vector depends on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence

from simil.embedders.base import Kind, VectorForm
from simil.frozen import Frozen

__all__ = ["KeyBuilder"]

_NONE: Mapping[Kind, str] = {}


class KeyBuilder(Frozen):
    """Everything that a vector depends on, except the text, its kind and the form that a run asks for.

    `backend` says what computes it ("local", or an API and its URL), `model` and `revision` name the
    model, `precision` gives its bits, `pipeline` how the tokens' vectors become one, `prompts` the prompt
    for each kind of text, `max_tokens` and `overflow` what happens to a long text. A text of at most
    `fits_bytes` bytes is known to fit: its key does not depend on `overflow`. `version` is raised when the
    same fields give other vectors or marks than before: when windows are cut differently, or a pooling is
    corrected. `generation` is the token of a local model whose vectors so far may be wrong.
    """

    backend: str
    model: str
    revision: str = ""
    precision: str = ""
    pipeline: str = ""
    prompts: Mapping[Kind, str] = _NONE
    max_tokens: int | None = None
    overflow: str = ""
    fits_bytes: int = -1
    version: int = 1
    generation: str = ""

    def keys(self, texts: Sequence[str], kind: Kind, form: VectorForm) -> list[bytes]:
        """Return the key of each text: 32 bytes, the SHA-256 of everything that its vector depends on."""
        head, head_of_short = self._head(kind, form, self.overflow), self._head(kind, form, "")
        keys = []
        for text in texts:
            # A text that is not Unicode may have a key: the model will refuse it.
            encoded = text.encode("utf-8", "surrogatepass")
            start = head_of_short if len(encoded) <= self.fits_bytes else head
            keys.append(hashlib.sha256(start + encoded).digest())
        return keys

    def _head(self, kind: Kind, form: VectorForm, overflow: str) -> bytes:
        how = self.by_name() | {
            "prompts": self.prompts.get(kind, ""),
            "overflow": overflow,
            **form.by_name(),
        }
        del how["fits_bytes"]
        if not self.generation:  # The keys of most vectors are older than it.
            del how["generation"]
        # ASCII escapes would make a character and its two surrogate halves the same.
        written = json.dumps(how, sort_keys=True, ensure_ascii=False)
        # A digest has a fixed length, so it is always clear where it ends and the text begins.
        return hashlib.sha256(written.encode("utf-8", "surrogatepass")).digest()

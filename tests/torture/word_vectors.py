"""An embedder whose vectors follow from the words of a text, installed into a folder as pip would do it.

The same code embeds within the command and says in the oracle what is right.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["DIMENSIONS", "MODEL", "STAMP", "install", "vector_of", "vectors_of"]

MODEL, STAMP, DIMENSIONS = "plugin:words", "words@1", 16
_PLUGIN = '''
import hashlib

import numpy as np

from simil.embedders.base import Embedder


def _numbers(data):
    raw = hashlib.shake_128(data).digest(4 * 16)
    return np.frombuffer(raw, "<i4").astype(np.float64) / 2**31


def vector_of(text):
    words = [_numbers(word) for word in text.encode("utf-8", "surrogatepass").split()]
    vector = sum(words, 0.2 * _numbers(text.encode("utf-8", "surrogatepass")))
    return (vector / np.linalg.norm(vector)).astype(np.float32)


class Words(Embedder):
    """Adds up a vector for each word, and a small one for the text as a whole."""

    stamp = "words@1"
    dimensions = 16

    def embed_batch(self, texts):
        return np.array([vector_of(text) for text in texts], np.float32)
'''


def _numbers(data: bytes) -> NDArray[np.float64]:
    raw = hashlib.shake_128(data).digest(4 * DIMENSIONS)
    return np.frombuffer(raw, "<i4").astype(np.float64) / 2**31


def vector_of(text: str) -> NDArray[np.float64]:
    """Return the right vector of a text, of length 1."""
    data = text.encode("utf-8", "surrogatepass")
    vector = sum((_numbers(word) for word in data.split()), 0.2 * _numbers(data))
    found: NDArray[np.float64] = vector / np.linalg.norm(vector)
    return found


def vectors_of(texts: list[str]) -> NDArray[np.float64]:
    """Return the right vectors of texts, a row for each."""
    return np.array([vector_of(text) for text in texts]).reshape(-1, DIMENSIONS)


def install(folder: Path) -> Path:
    """Install the package into `folder`, which then belongs on PYTHONPATH; return `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.joinpath("simil_word_vectors.py").write_text(_PLUGIN, "utf-8")
    facts = folder / "simil_word_vectors-1.dist-info"
    facts.mkdir()
    facts.joinpath("METADATA").write_text("Metadata-Version: 2.1\nName: simil-word-vectors\nVersion: 1\n")
    facts.joinpath("entry_points.txt").write_text("[simil.embedders]\nwords = simil_word_vectors:Words\n")
    return folder

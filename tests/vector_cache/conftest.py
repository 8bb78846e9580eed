from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from simil.embedders.base import Embedder, Kind
from simil.embedders.cache.cached_embedder import CachedEmbedder
from simil.embedders.cache.keys import KeyBuilder
from simil.embedders.cache.store import VectorCache


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the files of the cache are; it is made by the cache."""
    return tmp_path / "vectors"


Open = Callable[..., VectorCache]


@pytest.fixture
def open_cache(folder: Path) -> Iterator[Open]:
    """Open the cache in `folder`, as often as wanted; all are closed in the end."""
    opened = []

    def opening(max_bytes: int = 1 << 40, **how: Any) -> VectorCache:
        opened.append(VectorCache(folder, max_bytes, **how))
        return opened[-1]

    yield opening
    for cache in opened:
        cache.close()


class Counting(Embedder):
    """Gives vectors that tell the text, and remembers what it was asked for."""

    stamp = "counting@1"
    dimensions = 3

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def embed_batch_as(self, kind: Kind, texts: Sequence[str]) -> NDArray[np.float32]:
        self.asked.append(list(texts))
        return np.array([[len(text), ord(text[0]), len(kind)] for text in texts], np.float32)

    def embed_batch(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return self.embed_batch_as(Kind.SYMMETRIC, texts)


def cached(cache: VectorCache, embedder: Embedder, **recipe: str) -> CachedEmbedder:
    """Wrap an embedder that is open already."""
    return CachedEmbedder(
        embedder.stamp, KeyBuilder(backend="test", model=embedder.stamp, **recipe), cache, lambda: embedder
    )

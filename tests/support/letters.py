"""An embedder whose vectors one can work out: (number of a, number of b), and a text it refuses."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from simil.embedders.base import Embedder, TextRejected

__all__ = ["Letters"]


class Letters(Embedder):
    """Counts; `asked` keeps the batches that came."""

    stamp = "letters@1"
    dimensions = 2

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def embed_batch(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.asked.append(list(texts))
        for index, text in enumerate(texts):
            if text.startswith("refuse"):
                raise TextRejected(index, "the text is refused", hint="write another")
        return np.array([[text.count("a"), text.count("b")] for text in texts], np.float32)

"""A packed network of a few lines, for tests of what runs it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

__all__ = ["DIMENSIONS", "VOCABULARY", "SmallNetwork"]

VOCABULARY = 30_522
DIMENSIONS = 16
_TABLE = torch.randn(VOCABULARY, DIMENSIONS, generator=torch.Generator().manual_seed(3))


class SmallNetwork:
    """A row of a table for each token, a matrix product over the whole pack, and the mean of each sequence.

    `before` is called with the number of tokens of each pack.
    """

    workers = 1

    def __init__(self, before: Callable[[int], object] = lambda tokens: None) -> None:
        self._before = before

    def __call__(self, ids: torch.Tensor, lengths: NDArray[np.int32], skip: int) -> torch.Tensor:
        self._before(len(ids))
        hidden = _TABLE[ids] @ _TABLE[:DIMENSIONS]
        means = torch.stack([part[skip:].mean(dim=0) for part in torch.split(hidden, lengths.tolist())])
        return torch.nn.functional.normalize(means)

"""The sequences of a pack: where each begins and ends among the tokens."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

__all__ = ["Sequences"]


@dataclass(frozen=True, eq=False)
class Sequences:
    """Sequences one behind another; `sizes` are their lengths on the host, int [sequences].

    `lengths`, int64 [sequences], is the same on the device of the tokens. Nothing waits for that device.
    """

    sizes: NDArray[np.int32]
    lengths: torch.Tensor

    @cached_property
    def tokens(self) -> int:
        """How many tokens all of them have."""
        return int(self.sizes.sum())

    @cached_property
    def longest(self) -> int:
        """How many tokens the longest has."""
        return int(self.sizes.max())

    @cached_property
    def ends(self) -> torch.Tensor:
        """Where each ends, int64 [sequences]."""
        return self.lengths.cumsum(0)

    @cached_property
    def starts(self) -> torch.Tensor:
        """Where each begins, int64 [sequences]."""
        return self.ends - self.lengths

    @cached_property
    def borders(self) -> torch.Tensor:
        """Where each begins, and the last ends, int32 [sequences + 1]."""
        import torch

        return torch.cat([self.starts[:1], self.ends]).int()

    @cached_property
    def positions(self) -> torch.Tensor:
        """The place of each token in its sequence, int64 [tokens], from 0."""
        import torch

        return torch.arange(self.tokens, device=self.lengths.device) - self.per_token(self.starts)

    def per_token(self, values: torch.Tensor) -> torch.Tensor:
        """Return the values of the sequences, [sequences], for each of their tokens, [tokens]."""
        return values.repeat_interleave(self.lengths, output_size=self.tokens)

    @cached_property
    def groups(self) -> list[tuple[int, int, int]]:
        """Neighbours of equal length: the first token, how many sequences, how many tokens each has."""
        import numpy as np

        borders = np.flatnonzero(np.diff(self.sizes)) + 1
        firsts, lasts = np.append(0, borders), np.append(borders, len(self.sizes))
        starts = np.cumsum(self.sizes) - self.sizes
        return [
            (int(starts[first]), int(last - first), int(self.sizes[first]))
            for first, last in zip(firsts, lasts, strict=True)
        ]

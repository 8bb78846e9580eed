"""From tokens' vectors to a text's: pooling of packed sequences, dense layers, normalization, in float32.

Pooling reduces each sequence by itself, in order. What follows runs over a fixed number of rows: a product or
a norm may give other bits if the shape is another one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simil.embedders.local.packed.sequences import Sequences

if TYPE_CHECKING:
    import torch

__all__ = ["PackedHead", "TorchDense"]

_ROWS = 256
_SMALLEST = 1e-9


@dataclass(frozen=True, eq=False, slots=True)
class TorchDense:
    """`activation(x @ weight.T + bias)`; `weight` is float32 [out, in]."""

    weight: torch.Tensor
    bias: torch.Tensor | None
    activation: str

    def __call__(self, vectors: torch.Tensor) -> torch.Tensor:
        """Return float32 [rows, out] for [rows, in]."""
        import torch

        product = torch.nn.functional.linear(vectors, self.weight, self.bias)
        return _ACTIVATIONS[self.activation](product)


_ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "identity": lambda product: product,
    "tanh": lambda product: product.tanh(),
    "relu": lambda product: product.relu(),
}


@dataclass(frozen=True, eq=False, slots=True)
class PackedHead:
    """The modules after the transformer; `modes` are the poolings whose results are concatenated."""

    modes: Sequence[str]
    dense: Sequence[TorchDense]
    normalize: bool

    def __call__(self, hidden: torch.Tensor, sequences: Sequences, skip: int) -> torch.Tensor:
        """Return float32 [sequences, dimensions] for [tokens, hidden]; `skip` tokens are left out of each."""
        import torch

        # A pooling that looks at all tokens adds them up in float32.
        pooled = torch.cat([_POOLINGS[mode](hidden, sequences, skip).float() for mode in self.modes], dim=1)
        if not self.dense and not self.normalize:
            return pooled
        count = len(pooled)
        pooled = torch.nn.functional.pad(pooled, (0, 0, 0, -count % _ROWS))
        return torch.cat([self._finish(rows) for rows in pooled.split(_ROWS)])[:count]

    def _finish(self, vectors: torch.Tensor) -> torch.Tensor:
        for layer in self.dense:
            vectors = layer(vectors)
        if not self.normalize:
            return vectors
        # Divided by the largest value first, so that no square is too large or too small.
        largest = vectors.abs().amax(dim=1, keepdim=True)
        scaled = vectors / largest.where(largest > 0, 1.0)
        return scaled / scaled.norm(dim=1, keepdim=True).where(largest > 0, 1.0)


def _first(hidden: torch.Tensor, sequences: Sequences, skip: int) -> torch.Tensor:
    return hidden[sequences.starts + (sequences.lengths > skip) * skip]


def _last(hidden: torch.Tensor, sequences: Sequences, skip: int) -> torch.Tensor:
    return hidden[sequences.ends - 1]


def _max(hidden: torch.Tensor, sequences: Sequences, skip: int) -> torch.Tensor:
    return _reduce(hidden.float(), sequences, skip, "max", initial=-float("inf"))


def _mean(hidden: torch.Tensor, sequences: Sequences, skip: int) -> torch.Tensor:
    return _sum(hidden.float(), sequences, skip) / _counts(sequences, skip)


def _mean_sqrt(hidden: torch.Tensor, sequences: Sequences, skip: int) -> torch.Tensor:
    return _sum(hidden.float(), sequences, skip) / _counts(sequences, skip).sqrt()


def _weighted_mean(hidden: torch.Tensor, sequences: Sequences, skip: int) -> torch.Tensor:
    """Return the mean weighted by the tokens' positions (SGPT, arXiv:2202.08904)."""
    weights = (sequences.positions + 1).float()[:, None]
    total = _sum(weights, sequences, skip).clamp_min(_SMALLEST)
    return _sum(hidden.float() * weights, sequences, skip) / total


def _counts(sequences: Sequences, skip: int) -> torch.Tensor:
    return (sequences.lengths - skip).float().clamp_min(_SMALLEST)[:, None]


def _sum(values: torch.Tensor, sequences: Sequences, skip: int) -> torch.Tensor:
    return _reduce(values, sequences, skip, "sum", initial=0.0)


def _reduce(
    values: torch.Tensor, sequences: Sequences, skip: int, how: str, *, initial: float
) -> torch.Tensor:
    """Return [sequences, n] for [tokens, n], float32, without the first `skip` tokens of each sequence."""
    import torch

    lengths = sequences.lengths
    if skip:
        # Each sequence is two: what is left out, and the rest.
        rest = (lengths - skip).clamp_min(0)
        lengths = torch.stack([lengths - rest, rest], dim=1).flatten()
    reduced = torch.segment_reduce(values, how, lengths=lengths, axis=0, unsafe=True, initial=initial)
    return reduced[1::2] if skip else reduced


_POOLINGS: dict[str, Callable[[torch.Tensor, Sequences, int], torch.Tensor]] = {
    "cls": _first,
    "max": _max,
    "mean": _mean,
    "mean_sqrt_len_tokens": _mean_sqrt,
    "weightedmean": _weighted_mean,
    "lasttoken": _last,
}

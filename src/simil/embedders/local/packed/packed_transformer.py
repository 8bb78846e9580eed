"""The transformer of a packed network: embeddings and layers, for every family that is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from simil.embedders.local.packed.packed_attention import choose_attention, grouped_attention
from simil.embedders.local.packed.packed_products import activations
from simil.embedders.local.packed.packed_weights import PackedWeights, TorchNorm
from simil.embedders.local.packed.sequences import Sequences
from simil.models.files.encoder_layout import PackedLayer, PackedShape

if TYPE_CHECKING:
    import torch

    from simil.embedders.local.packed.packed_attention import Attention
    from simil.embedders.local.packed.packed_products import Product

    # Cosines and sines for each token, float32 [tokens, 1, head_size / 2].
    Rotary = tuple[torch.Tensor, torch.Tensor]

__all__ = ["PackedTransformer"]


class PackedTransformer:
    """Embeds tokens and runs the layers."""

    def __init__(self, shape: PackedShape, device: torch.device, dtype: torch.dtype) -> None:
        """Read the weights onto `device`; matrix products are computed in `dtype`."""
        import torch

        self._shape = shape
        # The sum of many layers outgrows float16, and in bfloat16 has too few digits.
        residual = dtype if dtype == torch.float16 and not shape.pre_norm else torch.float32
        self._attention = choose_attention(device, dtype, shape.heads)
        with PackedWeights(shape, device) as weights:
            self._words = weights.table(shape.words, dtype)
            self._positions = weights.table(shape.positions, torch.float32) if shape.positions else None
            self._segment = weights.table(shape.segments, torch.float32)[0] if shape.segments else None
            self._embedding_norm = weights.norm(shape.embedding_norm, residual)
            self._layers = [
                _Layer.read(shape, layer, self._attention, weights, (dtype, residual))
                for layer in shape.layers
            ]
            self._final_norm = weights.norm(shape.final_norm, residual)

    @property
    def wants_neighbours(self) -> bool:
        """Whether it is faster if sequences of equal length stand side by side."""
        return self._attention is grouped_attention

    def __call__(self, ids: torch.Tensor, sequences: Sequences) -> torch.Tensor:
        """Return the vectors of the tokens, [tokens, hidden]."""
        hidden = self._embed(ids, sequences)
        rotaries = {
            theta: None if theta is None else _rotary(theta, self._shape.heads.size, sequences)
            for theta in {layer.theta for layer in self._shape.layers}
        }
        for layer in self._layers:
            hidden = layer(hidden, sequences, rotaries[layer.theta])
        return hidden if self._final_norm is None else self._final_norm(hidden)

    def _embed(self, ids: torch.Tensor, sequences: Sequences) -> torch.Tensor:
        import torch

        hidden = torch.nn.functional.embedding(ids, self._words).float()
        if self._segment is not None:
            hidden = hidden + self._segment  # Every token is in the first segment.
        if self._positions is not None:
            places = sequences.positions
            if self._shape.padding_id is not None:
                places = _roberta_positions(ids, self._shape.padding_id, sequences)
            hidden = hidden + torch.nn.functional.embedding(places, self._positions)
        return hidden if self._embedding_norm is None else self._embedding_norm(hidden)


@dataclass(frozen=True, eq=False, slots=True)
class _Layer:
    """Attention and MLP, each added to what came in, normalized before or after."""

    shape: PackedShape
    window: tuple[int, int]
    theta: float | None
    attention: Attention
    qkv: Product
    output: Product
    up: Product
    down: Product
    attention_norm: TorchNorm | None
    mlp_norm: TorchNorm | None
    query_norm: TorchNorm | None
    key_norm: TorchNorm | None

    @classmethod
    def read(
        cls,
        shape: PackedShape,
        layer: PackedLayer,
        attention: Attention,
        weights: PackedWeights,
        dtypes: tuple[torch.dtype, torch.dtype],
    ) -> _Layer:
        """Read the weights of `layer`; the `dtypes` are those of products and of residual sums."""
        import torch

        product, residual = dtypes
        reach = -1 if layer.window is None else layer.window
        return cls(
            shape=shape,
            window=(reach, 0 if shape.causal else reach),
            theta=layer.theta,
            attention=attention,
            qkv=weights.linear(layer.qkv, product),
            output=weights.linear(layer.output, product),
            up=weights.linear(layer.up, product, None if shape.gated else shape.activation),
            down=weights.linear(layer.down, product),
            attention_norm=weights.norm(layer.attention_norm, residual),
            mlp_norm=weights.norm(layer.mlp_norm, residual),
            query_norm=weights.norm(layer.query_norm, torch.float32),
            key_norm=weights.norm(layer.key_norm, torch.float32),
        )

    def __call__(self, hidden: torch.Tensor, sequences: Sequences, rotary: Rotary | None) -> torch.Tensor:
        """Return [tokens, hidden] for [tokens, hidden]."""
        if self.shape.pre_norm:
            hidden = hidden + self._attend(_normed(self.attention_norm, hidden), sequences, rotary)
            return hidden + self._transform(_normed(self.mlp_norm, hidden))
        attended = self._attend(hidden, sequences, rotary)
        hidden = _normed(self.attention_norm, hidden + attended)
        return _normed(self.mlp_norm, hidden + self._transform(hidden))

    def _attend(self, hidden: torch.Tensor, sequences: Sequences, rotary: Rotary | None) -> torch.Tensor:
        heads = self.shape.heads
        parts = (heads.queries, heads.keys, heads.keys)
        projected = self.qkv(hidden).unflatten(1, (sum(parts), heads.size))
        query, key, value = projected.split(parts, dim=1)
        query, key = _normed(self.query_norm, query), _normed(self.key_norm, key)
        if rotary is not None:
            query, key = _rotated(query, rotary), _rotated(key, rotary)
        dtype = value.dtype
        attended = self.attention(query.to(dtype), key.to(dtype), value, sequences, self.window)
        return self.output(attended.flatten(1))

    def _transform(self, hidden: torch.Tensor) -> torch.Tensor:
        inner = self.up(hidden)
        if not self.shape.gated:
            return self.down(inner)
        gate, values = inner.chunk(2, dim=1)
        return self.down(activations()[self.shape.activation](gate) * values)


def _normed(norm: TorchNorm | None, values: torch.Tensor) -> torch.Tensor:
    return values if norm is None else norm(values)


def _roberta_positions(ids: torch.Tensor, padding_id: int, sequences: Sequences) -> torch.Tensor:
    """Return the places, int64 [tokens], where a padding token in a text has the place of its id."""
    counted = ids != padding_id
    before = counted.cumsum(0)
    first = sequences.starts
    base = sequences.per_token(before[first] - counted[first].long())
    return (before - base) * counted + padding_id


def _rotary(theta: float, size: int, sequences: Sequences) -> Rotary:
    """Return the rotations of the tokens' places (RoFormer, arXiv:2104.09864)."""
    import torch

    device = sequences.lengths.device
    steps = torch.arange(0, size, 2, dtype=torch.int64).float()
    frequencies = (1.0 / (theta ** (steps / size))).to(device)
    angles = sequences.positions.float()[:, None, None] * frequencies
    return angles.cos(), angles.sin()


def _rotated(values: torch.Tensor, rotary: Rotary) -> torch.Tensor:
    """Return [tokens, heads, head_size], float32; its halves are the coordinates that are rotated."""
    import torch

    cosines, sines = rotary
    left, right = values.float().chunk(2, dim=2)
    return torch.cat([left * cosines - right * sines, right * cosines + left * sines], dim=2)

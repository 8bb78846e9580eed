"""What a transformer is made of, as far as its result depends on it: sizes, and the names of its tensors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Heads", "Linear", "Norm", "PackedLayer", "PackedShape", "Table"]


@dataclass(frozen=True, slots=True)
class Linear:
    """A matrix product and its bias: the layers called `names`, each with its `rows`, one below another."""

    names: tuple[str, ...]
    rows: tuple[int, ...]
    columns: int
    bias: bool

    def tensors(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Yield the names and shapes of its tensors."""
        for name, rows in zip(self.names, self.rows, strict=True):
            yield f"{name}.weight", (rows, self.columns)
            if self.bias:
                yield f"{name}.bias", (rows,)


@dataclass(frozen=True, slots=True)
class Norm:
    """A normalization over the last `size` values: a LayerNorm, or an RMSNorm, which has no bias."""

    name: str
    size: int
    bias: bool

    def tensors(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Yield the names and shapes of its tensors."""
        yield f"{self.name}.weight", (self.size,)
        if self.bias:
            yield f"{self.name}.bias", (self.size,)


@dataclass(frozen=True, slots=True)
class Table:
    """A table of vectors, [rows, columns]."""

    name: str
    rows: int
    columns: int

    def tensors(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Yield the name and shape of its tensor."""
        yield f"{self.name}.weight", (self.rows, self.columns)


@dataclass(frozen=True, slots=True)
class Heads:
    """How many heads queries have, and how many keys and values; `size` values each."""

    queries: int
    keys: int
    size: int


@dataclass(frozen=True, slots=True)
class PackedLayer:
    """A layer of the transformer.

    `qkv` gives queries, keys and values, `up` the inner values, after as many gates if there are any. Tokens
    attend to others at most `window` away, None for any; `theta` is the base of rotary positions.
    """

    qkv: Linear
    output: Linear
    attention_norm: Norm | None
    up: Linear
    down: Linear
    mlp_norm: Norm
    query_norm: Norm | None = None
    key_norm: Norm | None = None
    window: int | None = None
    theta: float | None = None

    def tensors(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Yield the names and shapes of its tensors."""
        norms = (self.attention_norm, self.mlp_norm, self.query_norm, self.key_norm)
        for part in (self.qkv, self.output, self.up, self.down, *norms):
            if part is not None:
                yield from part.tensors()


@dataclass(frozen=True, slots=True)
class PackedShape:
    """A transformer that the packed engine runs.

    Norms stand before attention and MLP if `pre_norm`, else after them; `rms` says which kind they are. With
    a `padding_id`, positions are counted as RoBERTa does: from the one after that, without that token.
    `files` holds the safetensors file of each tensor, by the name that it has there.
    """

    family: str
    hidden: int
    heads: Heads
    words: Table
    layers: tuple[PackedLayer, ...]
    epsilon: float
    activation: str
    positions: Table | None = None
    padding_id: int | None = None
    segments: Table | None = None
    embedding_norm: Norm | None = None
    final_norm: Norm | None = None
    pre_norm: bool = False
    rms: bool = False
    gated: bool = False
    causal: bool = False
    prefix: str = ""
    files: dict[str, Path] = field(default_factory=dict, compare=False, repr=False)

    @property
    def vocabulary(self) -> int:
        """How many tokens have a vector: each id must be below."""
        return self.words.rows

    def tensors(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Yield the names, without the prefix, and the shapes of all tensors that are needed."""
        embeddings = (self.words, self.positions, self.segments, self.embedding_norm, self.final_norm)
        for part in (*embeddings, *self.layers):
            if part is not None:
                yield from part.tensors()

"""Reads a transformer's weights from its safetensors files straight onto a device."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simil.embedders.local.packed.packed_products import product
from simil.errors import ModelDamaged, Place
from simil.foreign import ForeignCode
from simil.models.files.encoder_layout import Linear, Norm, PackedShape, Table

if TYPE_CHECKING:
    import torch

    from simil.embedders.local.packed.packed_products import Product

__all__ = ["PackedWeights", "TorchNorm"]


@dataclass(frozen=True, eq=False, slots=True)
class TorchNorm:
    """A LayerNorm or, if `rms`, an RMSNorm; computed in float32 whatever the dtype of the values is."""

    weight: torch.Tensor
    bias: torch.Tensor | None
    epsilon: float
    rms: bool

    def __call__(self, values: torch.Tensor) -> torch.Tensor:
        """Return the values, normalized over the last dimension, in the dtype of the weights."""
        import torch

        values = values.to(self.weight.dtype)
        if self.rms:
            return torch.nn.functional.rms_norm(values, self.weight.shape, self.weight, self.epsilon)
        return torch.nn.functional.layer_norm(values, self.weight.shape, self.weight, self.bias, self.epsilon)


class PackedWeights:
    """The safetensors files of a model, for use in a `with` statement: each is opened once it is needed.

    What is read is a copy: a later change of the files does not reach it.
    """

    def __init__(self, shape: PackedShape, device: torch.device) -> None:
        """Open nothing yet."""
        self._shape = shape
        self._device = device
        self._files: dict[Path, Any] = {}
        self._stack = ExitStack()

    def __enter__(self) -> PackedWeights:
        return self

    def __exit__(self, *raised: object) -> None:
        self._stack.close()

    def linear(self, layer: Linear, dtype: torch.dtype, activation: str | None = None) -> Product:
        """Return a matrix product in `dtype`, with what it consists of stacked; see `product`."""
        import torch

        weights = [self._tensor(f"{name}.weight", dtype) for name in layer.names]
        biases = [self._tensor(f"{name}.bias", dtype) for name in layer.names if layer.bias]
        return product(torch.cat(weights), torch.cat(biases) if biases else None, activation)

    def norm(self, norm: Norm | None, dtype: torch.dtype) -> TorchNorm | None:
        """Return a normalization whose result is of `dtype`; None for none."""
        if norm is None:
            return None
        weight = self._tensor(f"{norm.name}.weight", dtype)
        bias = self._tensor(f"{norm.name}.bias", dtype) if norm.bias else None
        return TorchNorm(weight, bias, self._shape.epsilon, self._shape.rms)

    def table(self, table: Table, dtype: torch.dtype) -> torch.Tensor:
        """Return a table of vectors, [rows, columns]."""
        return self._tensor(f"{table.name}.weight", dtype)

    def _tensor(self, name: str, dtype: torch.dtype) -> torch.Tensor:
        import torch

        stored = self._shape.prefix + name
        tensor: torch.Tensor = self._file(self._shape.files[stored]).get_tensor(stored)
        return tensor.to(dtype, copy=True, memory_format=torch.contiguous_format)

    def _file(self, path: Path) -> Any:
        from safetensors import safe_open

        if path not in self._files:
            with ForeignCode("the weights cannot be read", place=Place(str(path)), error=ModelDamaged):
                file = safe_open(path, framework="pt", device=str(self._device))
                self._files[path] = self._stack.enter_context(file)
        return self._files[path]

"""Reads a transformer's weights from its safetensors files straight onto a device."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from simil.errors import ModelDamaged, Place
from simil.foreign import ForeignCode
from simil.models.files.encoder_layout import Linear, Norm, PackedShape, Table

if TYPE_CHECKING:
    import torch

__all__ = ["PackedWeights", "TorchLinear", "TorchNorm"]

# Tokens on which a product is tried.
_SAMPLE = 64


@dataclass(frozen=True, eq=False, slots=True)
class TorchLinear:
    """`x @ weight.T + bias` in the computing dtype.

    With `blocked` the weight has the order that oneDNN computes in; else it is put into it again for each
    product, which for a pack of a few hundred tokens takes a tenth of the time.
    """

    weight: torch.Tensor
    bias: torch.Tensor | None
    blocked: bool = False

    def __call__(self, values: torch.Tensor) -> torch.Tensor:
        """Return [tokens, rows] for [tokens, columns] of any dtype."""
        import torch

        values = values.to(self.weight.dtype)
        if self.blocked:
            product: torch.Tensor = torch.ops.mkldnn._linear_pointwise(
                values, self.weight, self.bias, "none", [], ""
            )
            return product
        return torch.nn.functional.linear(values, self.weight, self.bias)


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
    """The open safetensors files of a model, for use in a `with` statement.

    What is read is a copy: a later change of the files does not reach it.
    """

    def __init__(self, shape: PackedShape, device: torch.device) -> None:
        """Open nothing yet."""
        self._shape = shape
        self._device = device
        self._files: dict[str, Any] = {}
        self._stack = ExitStack()

    def __enter__(self) -> PackedWeights:
        from safetensors import safe_open

        for path in {*self._shape.files.values()}:
            with ForeignCode("the weights cannot be read", place=Place(str(path)), error=ModelDamaged):
                file = safe_open(path, framework="pt", device=str(self._device))
                self._files[str(path)] = self._stack.enter_context(file)
        return self

    def __exit__(self, *raised: object) -> None:
        self._stack.close()

    def linear(self, layer: Linear, dtype: torch.dtype) -> TorchLinear:
        """Return a matrix product in `dtype`, with what it consists of stacked."""
        import torch

        weights = [self._tensor(f"{name}.weight", dtype) for name in layer.names]
        biases = [self._tensor(f"{name}.bias", dtype) for name in layer.names if layer.bias]
        weight, bias = torch.cat(weights), torch.cat(biases) if biases else None
        return _blocked(weight, bias) or TorchLinear(weight, bias)

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
        path = self._shape.files[stored]
        with ForeignCode("the weights cannot be read", place=Place(str(path)), error=ModelDamaged):
            tensor: torch.Tensor = self._files[str(path)].get_tensor(stored)
            return tensor.to(dtype, copy=True, memory_format=torch.contiguous_format)


def _blocked(weight: torch.Tensor, bias: torch.Tensor | None) -> TorchLinear | None:
    """Return the product in oneDNN's order; None where PyTorch does not offer that, or for another result.

    These are operators that PyTorch keeps for its own compiler.
    """
    import torch

    if weight.device.type != "cpu" or weight.dtype != torch.bfloat16:
        return None
    sample = torch.ones(_SAMPLE, weight.shape[1], dtype=weight.dtype)
    try:
        linear = TorchLinear(torch.ops.mkldnn._reorder_linear_weight(weight, None), bias, blocked=True)
        alike = torch.allclose(linear(sample), TorchLinear(weight, bias)(sample), rtol=0.02, atol=0.02)
    except (AttributeError, TypeError, RuntimeError):
        return None
    return linear if alike else None

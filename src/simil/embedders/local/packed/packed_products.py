"""Matrix products over the tokens of a pack, and activations."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    # Gives [tokens, rows] for [tokens, columns] of any dtype.
    Product = Callable[[torch.Tensor], torch.Tensor]

__all__ = ["activations", "product"]

# What oneDNN calls them.
_FUSED = {
    None: ("none", ""),
    "gelu": ("gelu", "none"),
    "gelu_tanh": ("gelu", "tanh"),
    "relu": ("relu", ""),
    "silu": ("swish", ""),
}


def product(weight: torch.Tensor, bias: torch.Tensor | None, activation: str | None) -> Product:
    """Return `activation(x @ weight.T + bias)`, in the dtype of `weight`, [rows, columns]."""
    return _prepacked(weight, bias, activation) or _plain(weight, bias, activation)


@cache
def activations() -> dict[str, Callable[[torch.Tensor], torch.Tensor]]:
    """Return the activations by their names in `PackedShape`."""
    from torch.nn import functional

    return {
        "gelu": functional.gelu,
        "gelu_tanh": lambda values: functional.gelu(values, approximate="tanh"),
        "relu": functional.relu,
        "silu": functional.silu,
    }


def _plain(weight: torch.Tensor, bias: torch.Tensor | None, activation: str | None) -> Product:
    from torch.nn.functional import linear

    if activation is None:
        return lambda values: linear(values.to(weight.dtype), weight, bias)
    activate = activations()[activation]
    return lambda values: activate(linear(values.to(weight.dtype), weight, bias))


def _prepacked(weight: torch.Tensor, bias: torch.Tensor | None, activation: str | None) -> Product | None:
    """Return the product with its weights laid out for the processor once, and the activation in it.

    In bfloat16 that takes a tenth off a product with an activation. These operators are what `torch.compile`
    makes of a linear layer on a processor; None where they are not to be had.
    """
    import torch

    if weight.device.type != "cpu" or weight.dtype != torch.bfloat16:
        return None
    name, algorithm = _FUSED[activation]
    try:
        operators = torch.ops.mkldnn
        laid_out, run = operators._reorder_linear_weight(weight), operators._linear_pointwise
        run(torch.zeros(1, weight.shape[1], dtype=weight.dtype), laid_out, bias, name, [], algorithm)
    except (AttributeError, RuntimeError):
        return None
    return lambda values: run(values.to(torch.bfloat16), laid_out, bias, name, [], algorithm)

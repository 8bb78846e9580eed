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

# Tokens on which a product is tried, and what rounding to bfloat16 may make of it.
_SAMPLE = 64
_TOLERANCE = {"rtol": 0.02, "atol": 0.02}
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
    makes of a linear layer on a processor; None where they are not to be had, or give something else.
    """
    import torch

    if weight.device.type != "cpu" or weight.dtype != torch.bfloat16:
        return None
    name, algorithm = _FUSED[activation]
    try:
        operators = torch.ops.mkldnn
        laid_out, run = operators._reorder_linear_weight(weight), operators._linear_pointwise
        sample = torch.ones(_SAMPLE, weight.shape[1], dtype=weight.dtype)
        expected = _plain(weight, bias, activation)(sample)
        agrees = torch.allclose(run(sample, laid_out, bias, name, [], algorithm), expected, **_TOLERANCE)
    except (AttributeError, TypeError, RuntimeError):
        return None
    if not agrees:
        return None
    return lambda values: run(values.to(torch.bfloat16), laid_out, bias, name, [], algorithm)

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

    In bfloat16 that takes a tenth off a product with an activation. None where that is not to be had.
    """
    import torch

    if weight.device.type != "cpu" or weight.dtype != torch.bfloat16 or not _has_prepacked(activation):
        return None
    return _laid_out(weight, bias, activation)


def _laid_out(weight: torch.Tensor, bias: torch.Tensor | None, activation: str | None) -> Product:
    import torch

    name, algorithm = _FUSED[activation]
    laid_out = torch.ops.mkldnn._reorder_linear_weight(weight)
    run = torch.ops.mkldnn._linear_pointwise
    return lambda values: run(values.to(torch.bfloat16), laid_out, bias, name, [], algorithm)


@cache
def _has_prepacked(activation: str | None) -> bool:
    """Return whether what `torch.compile` makes of a linear layer on a processor is here and right.

    A small product tells: to try each layer would take longer than to open the model.
    """
    import torch

    sample = torch.linspace(-1, 1, _SAMPLE * _SAMPLE).reshape(_SAMPLE, _SAMPLE).to(torch.bfloat16)
    try:
        made = _laid_out(sample, sample[0], activation)(sample)
    except (AttributeError, TypeError, RuntimeError):
        return False
    return bool(torch.allclose(made, _plain(sample, sample[0], activation)(sample), **_TOLERANCE))

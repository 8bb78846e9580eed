"""Attention within each sequence of a pack.

On a CUDA device in half precision, one kernel takes all sequences by their borders. Elsewhere PyTorch has no
such kernel: there neighbours of equal length are attended to together. Either way, what comes out for a
sequence does not depend on the others in a single bit.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from simil.embedders.local.packed.sequences import Sequences
from simil.models.files.encoder_layout import Heads

if TYPE_CHECKING:
    import torch

    # Queries [tokens, heads, head_size], keys and values [tokens, key_heads, head_size], the sequences, and
    # how many tokens to the left and to the right are seen, -1 for all; gives [tokens, heads, head_size].
    Attention = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, Sequences, tuple[int, int]], torch.Tensor]

__all__ = ["choose_attention", "grouped_attention", "varlen_attention"]

# From this length on, PyTorch's kernel for the CPU may choose its blocks by the number of sequences.
_ALONE = 64
# How many shares of tokens in each other are computed at once: their memory is kept, see `packed_network.py`.
_SCORES = 6 << 20
# What the kernel for borders takes.
_LARGEST_HEAD, _HEAD_STEP = 256, 8


def choose_attention(device: torch.device, dtype: torch.dtype, heads: Heads) -> Attention:
    """Return the fastest attention that works on this device."""
    import torch

    in_half = device.type == "cuda" and dtype != torch.float32
    if in_half and heads.size <= _LARGEST_HEAD and heads.size % _HEAD_STEP == 0:
        # Which arguments it takes depends on PyTorch's version, whether it runs on the card's generation.
        options: tuple[dict[str, int], ...] = ({"num_splits": 1}, {})
        for attention in (partial(varlen_attention, options=given) for given in options):
            if _works(attention, device, dtype, heads):
                return attention
    return grouped_attention


def _works(attention: Attention, device: torch.device, dtype: torch.dtype, heads: Heads) -> bool:
    import numpy as np
    import torch

    sizes = np.array([1, 3], np.int32)
    sequences = Sequences(sizes, torch.tensor([1, 3], device=device))
    query, key = (
        torch.zeros(4, count, heads.size, dtype=dtype, device=device) for count in (heads.queries, heads.keys)
    )
    try:
        attention(query, key, key, sequences, (-1, -1)).sum().item()
    except (ImportError, TypeError, RuntimeError):
        return False
    return True


def varlen_attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    sequences: Sequences,
    window: tuple[int, int],
    *,
    options: dict[str, int],
) -> torch.Tensor:
    """Attend within all sequences at once; `options` are further arguments of the kernel.

    The kernel is that of `torch.nn.attention.varlen`, whose import takes as long as that of PyTorch itself.
    """
    import torch

    # Sequences of a single token would take another way through the kernel if all were such.
    longest = max(sequences.longest, 2)
    left, right = window
    attended: torch.Tensor = torch.ops.aten._flash_attention_forward(
        query,
        key,
        value,
        sequences.borders,
        sequences.borders,
        longest,
        longest,
        0.0,  # dropout
        window == (-1, 0),  # causal
        return_debug_mask=False,
        window_size_left=left,
        window_size_right=right,
        **options,
    )[0]
    return attended


def grouped_attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    sequences: Sequences,
    window: tuple[int, int],
) -> torch.Tensor:
    """Attend within neighbours of equal length at a time; fast where such sequences stand side by side."""
    import torch

    shared = query.shape[1] // key.shape[1]
    if shared > 1:
        key, value = (each.repeat_interleave(shared, dim=1) for each in (key, value))
    attended = torch.empty(query.shape, dtype=query.dtype, device=query.device)
    for start, count, length in sequences.groups:
        mask, is_causal = _mask(length, window, query.device)
        attend, step = _kernel(query, length, count)
        for first in range(start, start + count * length, step * length):
            rows = slice(first, first + step * length)
            parts = (each[rows].unflatten(0, (step, length)).transpose(1, 2) for each in (query, key, value))
            result = attend(*parts, attn_mask=mask, is_causal=is_causal)
            attended[rows] = result.transpose(1, 2).flatten(0, 1)
    return attended


def _kernel(query: torch.Tensor, length: int, count: int) -> tuple[Callable[..., torch.Tensor], int]:
    """Return what attends within sequences of that length, and how many of `count` it takes at a time."""
    import torch

    kernel = torch.nn.functional.scaled_dot_product_attention
    if query.device.type != "cpu":
        return kernel, count
    if length < _ALONE:
        return partial(_in_float32, kernel), count
    return _two_products if query.dtype == torch.bfloat16 else partial(_in_float32, kernel), 1


def _in_float32(kernel: Callable[..., torch.Tensor], *parts: torch.Tensor, **masks: Any) -> torch.Tensor:
    """Attend in float32, in which the processor's kernel is faster than in half precision, and more exact."""
    return kernel(*(each.float() for each in parts), **masks)


def _two_products(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    *,
    attn_mask: torch.Tensor | None,
    is_causal: bool,
) -> torch.Tensor:
    """Attend with all products in bfloat16 and the softmax in float32; faster for all but short sequences.

    Takes and returns [sequences, heads, tokens, head_size]. Some tokens at a time, since the shares of all
    tokens in all others would take gigabytes for the longest sequences.
    """
    import torch

    sequences, heads, length, size = query.shape
    step = max(_SCORES // (sequences * heads * length), 1)
    attended = []
    for start in range(0, length, step):
        rows = slice(start, start + step)
        scores = ((query[:, :, rows] * size**-0.5) @ key.transpose(2, 3)).float()
        seen = None if attn_mask is None else attn_mask[rows]
        if is_causal:
            seen = torch.ones(scores.shape[2:], dtype=torch.bool, device=scores.device).tril(start)
        if seen is not None:
            scores.masked_fill_(~seen, -float("inf"))
        attended.append(scores.softmax(3).to(value.dtype) @ value)
    return torch.cat(attended, dim=2)


def _mask(length: int, window: tuple[int, int], device: torch.device) -> tuple[torch.Tensor | None, bool]:
    """Return which keys a query sees, bool [length, length], None if it is all, or all up to itself."""
    import torch

    left, right = (length if side < 0 else min(side, length) for side in window)
    if length - 1 <= left and (length - 1 <= right or right == 0):
        return None, right == 0 and length > 1
    places = torch.arange(length, device=device)
    distance = places[None, :] - places[:, None]
    return (distance >= -left) & (distance <= right), False

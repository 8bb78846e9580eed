"""Groups texts into batches.

The length that a text is padded to depends on that text alone, and only texts of one padded length
share a batch. So a text is always computed in the same shape, and its vector does not depend on its
batch: on AVX-512 not in a single bit, which matters since quantization can magnify the last bit of a
sum. This costs at most one padding token in 32.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from simil.embedders.local.token_arrays import TokenArrays

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["BATCH_TOKENS", "batches", "pad", "padded_lengths", "padded_rows"]

BATCH_TOKENS = 512
"""Tokens in a batch, with padding: enough to keep a core busy, few enough to stay in its caches."""


def padded_lengths(lengths: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the length that each text is padded to: its own up to 63 tokens, then steps of 2, 4, 8, ….

    A step is at most a 32nd of the length, so padding stays under 3.2 % of the tokens.
    """
    import numpy as np

    _, exponents = np.frexp(lengths)  # 2**(e - 1) <= length < 2**e
    steps: NDArray[np.intp] = 1 << np.maximum(exponents - 6, 0).astype(np.intp)
    padded: NDArray[np.intp] = -(-lengths // steps) * steps
    return padded


def batches(
    lengths: NDArray[np.intp], *, padded: bool = True, limit: int | None = None
) -> Iterator[tuple[NDArray[np.intp], int]]:
    """Yield batches as their rows, int [n], and their padded length, longest first.

    Unless `padded`, that is the length of each of its texts; padding ends at `limit`, if there is
    one. A batch has at most `BATCH_TOKENS` tokens, but at least one text. Every row comes
    once.
    """
    import numpy as np

    shapes = padded_lengths(lengths) if padded else lengths
    if limit is not None:  # The model may have no more positions than that, for padding either.
        # Tokenizers cut nothing if the special tokens alone exceed it.
        shapes = np.maximum(np.minimum(shapes, limit), lengths)
    order = np.argsort(-shapes, kind="stable")
    borders = np.flatnonzero(np.diff(shapes[order])) + 1
    for group in np.split(order, borders):
        length = int(shapes[group[0]])
        size = max(1, BATCH_TOKENS // length)
        for start in range(0, len(group), size):
            yield group[start : start + size], length


def padded_rows(rows: int, length: int) -> int:
    """Return how many rows a batch of `rows` is padded to where each new shape has its price.

    As many as fill a batch of that length, or a half of them, a quarter, …
    """
    padded = max(1, BATCH_TOKENS // length)
    while padded > 1 and (half := -(-padded // 2)) >= rows:
        padded = half
    return padded


def pad(tokens: TokenArrays, length: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return token ids and mask, int32 [texts, length]; the mask is 0 for padding."""
    import numpy as np

    mask = np.arange(length) < tokens.lengths[:, None]
    padded = np.zeros(mask.shape, np.int32)
    padded[mask] = tokens.ids
    return padded, mask.astype(np.int32)

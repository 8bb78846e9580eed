"""Pooling of token vectors and dense layers, in numpy, as sentence-transformers computes them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from simil.errors import ModelDamaged, Place
from simil.foreign import ForeignCode
from simil.models.files.chain import Dense
from simil.models.torch_libraries import require_torch

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["DenseLayer", "load_dense", "pool"]


def pool(
    hidden: NDArray[np.float32], mask: NDArray[np.int32], modes: Sequence[str], skip: int = 0
) -> NDArray[np.float32]:
    """Return one vector per text, float32 [batch, hidden * len(modes)], from [batch, tokens, hidden].

    `mask` [batch, tokens] is 1 for a token and 0 for padding, which is on the right; the first `skip`
    tokens (a prompt) are left out. The modes are those of sentence-transformers' `Pooling`.
    """
    import numpy as np

    kept = mask.copy()
    kept[:, :skip] = 0
    pooled = [_POOLINGS[mode](hidden, kept) for mode in modes]
    return pooled[0] if len(pooled) == 1 else np.concatenate(pooled, axis=1)


def _first(hidden: NDArray[np.float32], mask: NDArray[np.int32]) -> NDArray[np.float32]:
    return _rows(hidden, mask.argmax(axis=1))


def _last(hidden: NDArray[np.float32], mask: NDArray[np.int32]) -> NDArray[np.float32]:
    return _rows(hidden, mask.shape[1] - 1 - mask[:, ::-1].argmax(axis=1))


def _rows(hidden: NDArray[np.float32], at: NDArray[np.intp]) -> NDArray[np.float32]:
    import numpy as np

    rows: NDArray[np.float32] = hidden[np.arange(len(hidden)), at]
    return rows


def _max(hidden: NDArray[np.float32], mask: NDArray[np.int32]) -> NDArray[np.float32]:
    import numpy as np

    largest: NDArray[np.float32] = np.where(mask[:, :, None] == 0, np.float32(-np.inf), hidden).max(axis=1)
    return largest


def _mean(hidden: NDArray[np.float32], mask: NDArray[np.int32]) -> NDArray[np.float32]:
    import numpy as np

    mean: NDArray[np.float32] = _weighted(hidden, mask) / _positive(mask.sum(axis=1, dtype=np.float32))
    return mean


def _mean_sqrt(hidden: NDArray[np.float32], mask: NDArray[np.int32]) -> NDArray[np.float32]:
    import numpy as np

    root: NDArray[np.float32] = np.sqrt(_positive(mask.sum(axis=1, dtype=np.float32)))
    return _weighted(hidden, mask) / root


def _weighted_mean(hidden: NDArray[np.float32], mask: NDArray[np.int32]) -> NDArray[np.float32]:
    """Return the mean weighted by the tokens' positions (SGPT, arXiv:2202.08904)."""
    import numpy as np

    weights = mask * np.arange(1, mask.shape[1] + 1, dtype=np.int32)
    return _weighted(hidden, weights) / _positive(weights.sum(axis=1, dtype=np.float32))


def _weighted(hidden: NDArray[np.float32], weights: NDArray[np.int32]) -> NDArray[np.float32]:
    import numpy as np

    summed: NDArray[np.float32] = np.matmul(weights[:, None, :].astype(np.float32), hidden)[:, 0]
    return summed


def _positive(sums: NDArray[np.float32]) -> NDArray[np.float32]:
    import numpy as np

    return np.maximum(sums, np.float32(1e-9), dtype=np.float32)[:, None]


_POOLINGS = {
    "cls": _first,
    "max": _max,
    "mean": _mean,
    "mean_sqrt_len_tokens": _mean_sqrt,
    "weightedmean": _weighted_mean,
    "lasttoken": _last,
}


@dataclass(frozen=True, eq=False, slots=True)
class DenseLayer:
    """`activation(x @ weight.T + bias)`; `weight` is float32 [out, in]."""

    weight: NDArray[np.float32]
    bias: NDArray[np.float32] | None
    activation: str

    def __call__(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return float32 [batch, out] for [batch, in]."""
        import numpy as np

        product: NDArray[np.float32] = vectors @ self.weight.T
        if self.bias is not None:
            product += self.bias
        if self.activation == "tanh":
            np.tanh(product, out=product)
        elif self.activation == "relu":
            np.maximum(product, 0, out=product)
        return product


def load_dense(folder: Path, layer: Dense) -> DenseLayer:
    """Return the layer with its weights, read from safetensors or, in older models, a PyTorch file.

    Raises `ModelDamaged` if they cannot be read, `ExtraMissing` if that takes torch, which is not installed.
    """
    import numpy as np

    path = folder / layer.path / "model.safetensors"
    if not path.is_file():
        path = folder / layer.path / "pytorch_model.bin"
        require_torch(str(path))
    # Each of the two libraries raises its own exceptions for a malformed file.
    with ForeignCode("the dense layer cannot be read", place=Place(str(path)), error=ModelDamaged):
        if path.suffix == ".safetensors":
            from safetensors.numpy import load_file

            tensors = load_file(path)
        else:
            import torch

            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # About versions of pickle.
                loaded = torch.load(path, map_location="cpu", weights_only=True)
            tensors = {name: tensor.float().numpy() for name, tensor in loaded.items()}
        bias = tensors["linear.bias"].astype(np.float32) if layer.bias else None
        return DenseLayer(tensors["linear.weight"].astype(np.float32), bias, layer.activation)

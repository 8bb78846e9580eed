"""The packed forward pass: from token ids, one text behind another, to the texts' vectors.

The weights are read straight from the model's safetensors files; neither transformers nor
sentence-transformers is imported. All matrix products have one shape, that of the pack, so a text's vector
has the same bits in every pack.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simil.embedders.local.packed.packed_pooling import PackedHead, TorchDense
from simil.embedders.local.packed.packed_transformer import PackedTransformer
from simil.embedders.local.packed.sequences import Sequences
from simil.foreign import ForeignCode
from simil.models.files.chain import Chain, Dense
from simil.models.files.encoder_layout import PackedShape
from simil.models.files.model_source import ModelSource

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

__all__ = ["CPU_SHARED", "CPU_TOKENS", "GPU_TOKENS", "PackedNetwork", "open_network"]

CPU_TOKENS = 512
"""The tokens of a pack on the processor: enough for its matrix products, few enough for its caches."""

CPU_SHARED = 128
"""The most tokens of a text that shares a pack on the processor, whose products need no more to be fast."""

GPU_TOKENS = 32_768
"""The tokens of a pack on a GPU."""

_KEPT_BYTES = 31 << 20


def open_network(
    source: ModelSource,
    shape: PackedShape,
    chain: Chain,
    *,
    device: str,
    precision: str,
    raw: bool,
    threads: int,
) -> PackedNetwork:
    """Read the weights onto `device` ("cpu", "cuda", "cuda:1", "mps").

    `precision` is "float32", "bfloat16" or "float16"; `raw` leaves out a final normalization. On the
    processor each product runs in one thread, since several packs at a time are faster than several threads
    for a pack; `threads` says how many packs, 0 for one for each core. Raises `ModelDamaged` for files that
    cannot be read or that change meanwhile, `ModelError` for a device that does not work or is too small.
    """
    import torch

    from simil.embedders.local.cores import physical_cores

    on = torch.device(device)
    workers = 1
    if on.type == "cpu":
        torch.set_num_threads(1)
        # glibc keeps freed memory up to twice the largest block that was ever given back to the system, and
        # clears anew what it has to get from there: a seventh of a pack's time. No page of this is touched.
        torch.empty(_KEPT_BYTES, dtype=torch.uint8)
        workers = threads or physical_cores()
    else:
        torch.set_float32_matmul_precision("highest")  # No TF32.
    hint = "" if on.type == "cpu" else "use --device cpu"
    with ForeignCode(f"{source.name} cannot be opened on {device}", hint=hint), torch.inference_mode():
        transformer = PackedTransformer(shape, on, getattr(torch, precision))
        dense = [_dense(source, layer, on) for layer in chain.dense]
    source.expect_unchanged()
    return PackedNetwork(transformer, PackedHead(chain.pooling, dense, chain.normalize and not raw), workers)


def _dense(source: ModelSource, layer: Dense, device: torch.device) -> TorchDense:
    import torch

    from simil.embedders.local.pooling import load_dense

    loaded = load_dense(source.folder, layer)
    bias = None if loaded.bias is None else torch.tensor(loaded.bias, device=device)
    return TorchDense(torch.tensor(loaded.weight, device=device), bias, loaded.activation)


class PackedNetwork:
    """An open network; up to `workers` threads may call it at the same time."""

    def __init__(self, transformer: PackedTransformer, head: PackedHead, workers: int) -> None:
        """Take the parts; see `open_network`."""
        self._transformer = transformer
        self._head = head
        self.workers = workers

    def __call__(self, ids: torch.Tensor, lengths: NDArray[np.int32], skip: int) -> torch.Tensor:
        """Return the texts' vectors, float32 [sequences, dimensions], on the device of the network.

        `ids` are the tokens of all sequences, int32 [tokens], on that device; `lengths` those of the
        sequences, int32 [sequences], whose sum is the number of tokens. Each id must be below the shape's
        `vocabulary`, each sequence have a token. `skip` leaves the first tokens, a prompt, out of pooling.
        """
        import torch

        if ids.device.type == "cpu":
            # For each thread anew: oneDNN takes all cores in a thread where it was never said.
            torch.set_num_threads(1)
        with torch.inference_mode():
            order = _by_length(lengths) if self._transformer.wants_neighbours else None
            if order is None:
                return self._forward(ids, lengths, skip)
            vectors = self._forward(ids[_tokens_in(order, lengths, ids.device)], lengths[order], skip)
            in_order = torch.empty_like(vectors)
            in_order[torch.from_numpy(order).to(ids.device)] = vectors
            return in_order

    def _forward(self, ids: torch.Tensor, lengths: NDArray[np.int32], skip: int) -> torch.Tensor:
        import torch

        sizes = torch.from_numpy(lengths).long()
        if ids.device.type == "cuda":
            # A copy from memory that is not pinned may wait for all that the card was told to do before.
            sizes = sizes.pin_memory()
        sequences = Sequences(lengths, sizes.to(ids.device, non_blocking=True))
        return self._head(self._transformer(ids, sequences), sequences, skip)


def _by_length(lengths: NDArray[np.int32]) -> NDArray[np.intp] | None:
    """Return the order in which sequences of one length are neighbours, None if they are so already."""
    import numpy as np

    if len(np.unique(lengths)) == 1 + np.count_nonzero(np.diff(lengths)):
        return None
    return np.argsort(lengths, kind="stable")


def _tokens_in(order: NDArray[np.intp], lengths: NDArray[np.int32], device: torch.device) -> torch.Tensor:
    """Return the places of the tokens, int64 [tokens], if their sequences are put in this order."""
    import numpy as np
    import torch

    starts, sizes = (np.cumsum(lengths) - lengths)[order], lengths[order]
    places = np.arange(sizes.sum()) + np.repeat(starts - (np.cumsum(sizes) - sizes), sizes)
    return torch.from_numpy(places).to(device)

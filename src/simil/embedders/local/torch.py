"""Runs a model in sentence-transformers: on a GPU, or if simil's own engines do not support its chain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simil.device import Device
from simil.embedders.base import Kind
from simil.embedders.local.base import LocalEmbedder, LocalModel, expect_finite
from simil.embedders.local.token_arrays import TokenArrays
from simil.errors import ModelError
from simil.foreign import ForeignCode
from simil.models.files.model_source import ModelSource
from simil.models.files.positions import fit_limit
from simil.models.files.quiet import quiet_transformers
from simil.models.files.tokenizer import BoundedTokenizer, bare_tokenizer, give_padding

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from simil.embedders.local.base import RowVectors

__all__ = [
    "TorchEmbedder",
    "copy_tokenizer",
    "load_network",
    "token_batches",
    "torch_devices",
    "usable_devices",
]

_SHORT = "Apple"
_LONG = "An orange lies on the table beside two ripe apples, and nobody has seen who put it there."
# The error of a vector, as a share of its length: at a cosine of 0.99999 it is 0.0045.
_TOLERANCES = {"float32": 0.004, "float16": 0.008, "bfloat16": 0.04}
_BATCH = 32
# Enough to keep a GPU busy.
_GPU_BATCH_TOKENS = 16_384
_BUILDS = "https://pytorch.org/get-started/locally"
# A model may have modules of its own for each.
_TASKS = {Kind.QUERY: "query", Kind.DOCUMENT: "document"}


class TorchEmbedder(LocalEmbedder):
    """A model folder in PyTorch.

    Texts of other lengths in a batch change the shape of its products. On a GPU, in lower precisions too, a
    text's vector may then differ in its last bits; the packed engine's does not.

    Attributes:
        device: where the model runs.
    """

    def __init__(
        self,
        model: LocalModel,
        source: ModelSource,
        *,
        device: Device,
        precision: str,
        raw: bool,
        threads: int,
        batch_tokens: int | None = None,
    ) -> None:
        """Load the model on `device`; `raw` leaves out a final normalization; 0 `threads` means all cores.

        In a `precision` below float32, what follows the first module, as the pooling, still computes in
        float32. A batch has up to `batch_tokens` tokens with padding; None means what suits a GPU, and 32
        texts on the processor. Raises `ModelError` if the device is not available or the model cannot be
        loaded.
        """
        self._source = source
        self._precision = precision
        self._network = load_network("SentenceTransformer", source.folder, device, threads)
        self.device = _device_of(self._network)
        self._batch_tokens = batch_tokens or (_GPU_BATCH_TOKENS if self.device.is_gpu else None)
        if precision != "float32":
            _lower_precision(self._network[0], precision)
        self._ends_in_unit = type(self._network[-1]).__name__ == "Normalize"
        if raw and self._ends_in_unit:
            del self._network[len(self._network) - 1]
            self._ends_in_unit = False
        tokenizer = getattr(self._network, "tokenizer", None)
        give_padding(tokenizer)
        limit = self._network.max_seq_length
        # "No limit" is written as a huge number.
        super().__init__(
            model, copy_tokenizer(tokenizer, model.stamp), int(limit) if limit and limit < 10**9 else None
        )
        self.dimensions = self._network.get_embedding_dimension()
        self._sparse = _sparse_transformer(self._network)

    def _normalizes(self) -> bool:
        return self._ends_in_unit

    def _start(self, kind: Kind, texts: Sequence[str], tokens: TokenArrays | None) -> Iterator[RowVectors]:
        return expect_finite(self._computed(kind, texts, tokens), self.stamp, self._precision)

    def _computed(self, kind: Kind, texts: Sequence[str], tokens: TokenArrays | None) -> Iterator[RowVectors]:
        for rows in self._batches(len(texts), tokens):
            size = _BATCH if tokens is None or self._batch_tokens is None else len(rows)
            vectors = self._compute([texts[row] for row in rows], kind, size)
            # It may have mapped the weights.
            self._source.expect_unchanged()
            yield rows, vectors

    def _batches(self, number: int, tokens: TokenArrays | None) -> Iterator[NDArray[np.intp]]:
        """Yield the rows of texts that go to sentence-transformers together."""
        import numpy as np

        lengths = np.arange(number, dtype=np.int32) if tokens is None else tokens.lengths
        for rows in self._rows_together(lengths):
            if tokens is None or self._batch_tokens is None:
                yield rows
            else:
                yield from token_batches(lengths, rows, self._batch_tokens)

    def _compute(self, texts: Sequence[str], kind: Kind, batch_size: int = _BATCH) -> NDArray[np.float32]:
        if self._sparse is not None:
            self._sparse.set_attention_type("block_sparse")
        with quiet_transformers():  # Some models report how they pad texts.
            vectors: NDArray[np.float32] = self._network.encode(
                list(texts),
                prompt=self._prompt(kind),
                task=_TASKS.get(kind),
                batch_size=batch_size,
                show_progress_bar=False,
                convert_to_numpy=True,
            )
        return vectors

    def _rows_together(self, lengths: NDArray[np.int32]) -> Iterator[NDArray[np.intp]]:
        """Yield which texts may share batches: all, or those of one length if padding changes the vectors."""
        import numpy as np

        distinct, first = np.unique(lengths, return_index=True)
        if len(distinct) > 1 and self._sparse is None and not self._feels_padding:
            yield np.arange(len(lengths))
            return
        for length in distinct[np.argsort(first)]:
            yield np.flatnonzero(lengths == length)

    @cached_property
    def _feels_padding(self) -> bool:
        """Whether a text gets another vector beside a longer one.

        So it is in models that mix tokens without regard to the mask, as FNet and convolutions do.
        """
        import numpy as np

        alone, beside = (self._compute(texts, Kind.SYMMETRIC)[0] for texts in ([_SHORT], [_SHORT, _LONG]))
        tolerance = _TOLERANCES[self._precision]
        return not np.linalg.norm(beside - alone) <= tolerance * np.linalg.norm(alone)


def _sparse_transformer(network: Any) -> Any | None:
    """Return the transformer of a BigBird with sparse attention, None for other models.

    It turns to full attention at the first batch that is short, and stays there, so that the vector of a long
    text would depend on the texts before it.
    """
    transformer = getattr(network[0], "auto_model", None)
    return transformer if getattr(transformer, "attention_type", None) == "block_sparse" else None


def token_batches(
    lengths: NDArray[np.int32], rows: NDArray[np.intp], budget: int
) -> Iterator[NDArray[np.intp]]:
    """Yield `rows` in batches that, padded to their longest text, have up to `budget` tokens, longest first.

    `lengths` int32 [texts] are those of all texts. A text that is longer is a batch of its own.
    """
    import numpy as np

    left = rows[np.argsort(-lengths[rows], kind="stable")]
    while len(left):
        count = max(1, budget // max(int(lengths[left[0]]), 1))
        yield left[:count]
        left = left[count:]


def _lower_precision(module: Any, precision: str) -> None:
    """Make a module compute in `precision` and hand on float32."""
    import torch

    def widened(_: Any, __: Any, output: dict[str, Any]) -> dict[str, Any]:
        return {
            name: value.float() if torch.is_tensor(value) and value.is_floating_point() else value
            for name, value in output.items()
        }

    module.to(getattr(torch, precision))
    module.register_forward_hook(widened)


def _device_of(network: Any) -> Device:
    """Return where sentence-transformers has put a model."""
    device = network.device
    return Device(device.type, (device.index or 0,) if device.type == "cuda" else ())


def copy_tokenizer(tokenizer: Any, stamp: str) -> Any:
    """Return a copy, since sentence-transformers sets another truncation and padding on the original.

    None for a tokenizer of another library.
    """
    bare = bare_tokenizer(tokenizer)
    return None if bare is None else BoundedTokenizer(bare, stamp)


def load_network(kind: str, folder: Path, device: Device, threads: int, *, uses_head: bool = False) -> Any:
    """Return the model in `folder` as sentence-transformers' class `kind`, in float32, on `device`.

    `uses_head` is as in `quiet_transformers`. Raises `ModelError` if the device is not available or the model
    cannot be loaded.
    """
    with ForeignCode("sentence-transformers cannot be loaded"):
        import sentence_transformers
        import torch

    where = None if device.kind == "auto" else torch_devices(device)[0]
    # No TF32, which torch leaves to convolutions otherwise.
    torch.backends.cudnn.allow_tf32 = False
    if threads:
        torch.set_num_threads(threads)
    # transformers raises many kinds of exceptions for a broken folder.
    with (
        ForeignCode(f"sentence-transformers cannot load {folder}"),
        quiet_transformers(folder, uses_head=uses_head),
    ):
        # Never trust_remote_code: a model is data.
        network = getattr(sentence_transformers, kind)(str(folder), device=where, local_files_only=True)
    network = network.float().eval()
    fit_limit(network)
    return network


def torch_devices(device: Device) -> list[str]:
    """Return what PyTorch calls the processor or GPUs that `device` stands for; imports torch.

    Raises `ModelError` unless PyTorch can use all of them.
    """
    with ForeignCode("PyTorch cannot be loaded"):
        import torch

        count = torch.cuda.device_count() if device.kind == "cuda" and torch.cuda.is_available() else 0
        has_metal = torch.backends.mps.is_available()
        is_for_gpus = bool(torch.version.cuda or torch.version.hip)
    if device.kind == "cpu":
        return ["cpu"]
    if device.kind == "mps":
        if not has_metal:
            raise ModelError("no MPS device is available", hint="leave out --device")
        return ["mps"]
    if not is_for_gpus:
        raise ModelError("this build of PyTorch has no GPU support", hint=f"install one for GPUs: {_BUILDS}")
    if not count:
        raise ModelError("PyTorch finds no CUDA device", hint="check the driver, or leave out --device")
    cards = range(count) if device.cards is None else device.cards
    if max(cards) >= count:
        raise ModelError(
            f"there is no {device}: PyTorch finds {count} CUDA device{'s' if count > 1 else ''}",
            hint="count from 0, or use --device cuda:all",
        )
    return [f"cuda:{number}" for number in cards]


def usable_devices() -> list[str]:
    """Return the values of `--device` that work on this machine, "cpu" first; imports torch."""
    import torch

    devices = ["cpu"]
    if torch.cuda.is_available():
        devices.append("cuda")
    if torch.backends.mps.is_available():
        devices.append("mps")
    return devices

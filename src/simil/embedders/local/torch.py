"""Runs a model in sentence-transformers: on a GPU, or if simil's own engines do not support its chain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simil.embedders.base import Kind
from simil.embedders.local.base import LocalEmbedder, LocalModel
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

__all__ = ["TorchEmbedder", "copy_tokenizer", "load_network", "usable_devices"]

_SHORT = "Apple"
_LONG = "An orange lies on the table beside two ripe apples, and nobody has seen who put it there."
# The error of a vector, as a share of its length: at a cosine of 0.99999 it is 0.0045.
_TOLERANCE = 0.004
# A model may have modules of its own for each.
_TASKS = {Kind.QUERY: "query", Kind.DOCUMENT: "document"}


class TorchEmbedder(LocalEmbedder):
    """A model folder in PyTorch, in float32."""

    def __init__(
        self, model: LocalModel, source: ModelSource, *, device: str, raw: bool, threads: int
    ) -> None:
        """Load the model on `device`; `raw` leaves out a final normalization; 0 `threads` means all cores.

        Raises `ModelError` if the device is not available or the model cannot be loaded.
        """
        self._source = source
        self._network = load_network("SentenceTransformer", source.folder, device, threads)
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
        import numpy as np

        for rows in self._rows_together(len(texts), tokens):
            vectors = self._compute([texts[row] for row in rows], kind)
            # It may have mapped the weights.
            self._source.expect_unchanged()
            yield np.array(rows), vectors

    def _compute(self, texts: Sequence[str], kind: Kind) -> NDArray[np.float32]:
        if self._sparse is not None:
            self._sparse.set_attention_type("block_sparse")
        with quiet_transformers():  # Some models report how they pad texts.
            vectors: NDArray[np.float32] = self._network.encode(
                list(texts),
                prompt=self._prompt(kind),
                task=_TASKS.get(kind),
                batch_size=32,
                show_progress_bar=False,
                convert_to_numpy=True,
            )
        return vectors

    def _rows_together(self, number: int, tokens: TokenArrays | None) -> list[list[int]]:
        """Return which texts share batches: all, or those of one length if padding changes the vectors."""
        lengths = range(number) if tokens is None else tokens.lengths.tolist()
        if len(set(lengths)) > 1 and self._sparse is None and not self._feels_padding:
            return [list(range(number))]
        groups: dict[int, list[int]] = {}
        for row, length in enumerate(lengths):
            groups.setdefault(length, []).append(row)
        return list(groups.values())

    @cached_property
    def _feels_padding(self) -> bool:
        """Whether a text gets another vector beside a longer one.

        So it is in models that mix tokens without regard to the mask, as FNet and convolutions do.
        """
        import numpy as np

        alone, beside = (self._compute(texts, Kind.SYMMETRIC)[0] for texts in ([_SHORT], [_SHORT, _LONG]))
        return not np.linalg.norm(beside - alone) <= _TOLERANCE * np.linalg.norm(alone)


def _sparse_transformer(network: Any) -> Any | None:
    """Return the transformer of a BigBird with sparse attention, None for other models.

    It turns to full attention at the first batch that is short, and stays there, so that the vector of a long
    text would depend on the texts before it.
    """
    transformer = getattr(network[0], "auto_model", None)
    return transformer if getattr(transformer, "attention_type", None) == "block_sparse" else None


def copy_tokenizer(tokenizer: Any, stamp: str) -> Any:
    """Return a copy, since sentence-transformers sets another truncation and padding on the original.

    None for a tokenizer of another library.
    """
    bare = bare_tokenizer(tokenizer)
    return None if bare is None else BoundedTokenizer(bare, stamp)


def load_network(kind: str, folder: Path, device: str, threads: int, *, uses_head: bool = False) -> Any:
    """Return the model in `folder` as sentence-transformers' class `kind`, in float32, on `device`.

    `uses_head` is as in `quiet_transformers`. Raises `ModelError` if the device is not available or the model
    cannot be loaded.
    """
    with ForeignCode("sentence-transformers cannot be loaded"):
        import sentence_transformers
        import torch

    if device == "cuda" and not torch.cuda.is_available():
        raise ModelError(
            "no CUDA device is available",
            hint="leave out --device, or check the driver and PyTorch's build",
        )
    if device == "mps" and not torch.backends.mps.is_available():
        raise ModelError("no MPS device is available", hint="leave out --device")
    if threads:
        torch.set_num_threads(threads)
    # transformers raises many kinds of exceptions for a broken folder.
    with (
        ForeignCode(f"sentence-transformers cannot load {folder}"),
        quiet_transformers(folder, uses_head=uses_head),
    ):
        # Never trust_remote_code: a model is data.
        network = getattr(sentence_transformers, kind)(
            str(folder), device=None if device == "auto" else device, local_files_only=True
        )
    network = network.float().eval()
    fit_limit(network)
    return network


def usable_devices() -> list[str]:
    """Return the values of `--device` that work on this machine, "cpu" first; imports torch."""
    import torch

    devices = ["cpu"]
    if torch.cuda.is_available():
        devices.append("cuda")
    if torch.backends.mps.is_available():
        devices.append("mps")
    return devices

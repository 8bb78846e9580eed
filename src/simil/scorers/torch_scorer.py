"""Scores pairs in sentence-transformers: on a GPU, or if simil's own engine does not support the model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from simil.device import Device
from simil.embedders.local.torch import copy_tokenizer, load_network
from simil.embedders.overflow import Overflow
from simil.foreign import ForeignCode
from simil.models.files.model_source import ModelSource
from simil.scorers.base import Pair
from simil.scorers.local_scorer import LocalScorer
from simil.scorers.pair_tokens import PairTokenizer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from simil.scorers.local_scorer import RowScores

__all__ = ["TorchScorer"]

_BATCH = 32


class TorchScorer(LocalScorer):
    """A model folder in sentence-transformers' `CrossEncoder`, in float32."""

    def __init__(
        self, stamp: str, overflow: Overflow, source: ModelSource, *, device: Device, threads: int
    ) -> None:
        """Load the model on `device`; 0 `threads` means all cores.

        Raises `ModelError` if the device is not available or the model cannot be loaded.
        """
        self._source = source
        self._network = load_network("CrossEncoder", source.folder, device, threads, uses_head=True)
        super().__init__(stamp, overflow, self._pair_tokenizer(stamp))

    def _pair_tokenizer(self, stamp: str) -> PairTokenizer | None:
        first, name = self._network[0], self._network.default_prompt_name
        bare = copy_tokenizer(self._network.tokenizer, stamp)
        if bare is None or "message" in first.modality_config:  # Its chat template adds to the texts.
            return None
        limit = self._network.max_seq_length
        bare.enable_truncation(limit, direction=self._network.tokenizer.truncation_side)
        prompt = self._network.prompts.get(name, "") if name else ""
        # "No limit" is written as a huge number.
        return PairTokenizer(bare, int(limit) if limit and limit < 10**9 else None, prompt)

    def _start(self, pairs: Sequence[Pair], encodings: Sequence[Any] | None) -> Iterator[RowScores]:
        import numpy as np

        for start in range(0, len(pairs), _BATCH):
            batch = [list(pair) for pair in pairs[start : start + _BATCH]]
            with ForeignCode(f"{self.stamp} failed"):
                scores: NDArray[np.float32] = self._network.predict(
                    batch, batch_size=_BATCH, show_progress_bar=False, convert_to_numpy=True
                )
            # It may have mapped the weights.
            self._source.expect_unchanged()
            yield np.arange(start, start + len(batch)), scores.astype(np.float32, copy=False)

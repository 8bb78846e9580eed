"""Scores pairs on the CPU without torch, by a prepared graph that ends in a logit for each pair."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from simil.embedders.local.graph import GraphRunner
from simil.embedders.local.token_arrays import TokenArrays
from simil.embedders.overflow import Overflow
from simil.errors import ModelDamaged
from simil.models.files.cross_encoder import PairModel
from simil.scorers.base import Pair
from simil.scorers.local_scorer import LocalScorer
from simil.scorers.pair_tokens import PairTokenizer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from simil.scorers.local_scorer import RowScores

__all__ = ["ACTIVATIONS", "GraphScorer"]


class GraphScorer(LocalScorer):
    """Runs pairs through a graph, and applies the model's activation to its logits."""

    def __init__(
        self, stamp: str, overflow: Overflow, tokenizer: PairTokenizer, runner: GraphRunner, model: PairModel
    ) -> None:
        """Open nothing before the first pair; the activation of `model` is one of `ACTIVATIONS`."""
        super().__init__(stamp, overflow, tokenizer)
        self._runner = runner
        self._activation = ACTIVATIONS[model.activation]
        self._has_segments = model.has_segments

    def close(self) -> None:
        """End the threads and release the sessions."""
        self._runner.close()

    def _start(self, pairs: Sequence[Pair], encodings: Sequence[Any] | None) -> Iterator[RowScores]:
        assert encodings is not None
        tokens = TokenArrays.of([encoding.ids for encoding in encodings])
        segments = TokenArrays.of([encoding.type_ids for encoding in encodings]).ids
        return self._runner.start(tokens, self._scores, segments=segments if self._has_segments else None)

    def _scores(self, logits: NDArray[np.float32], mask: NDArray[np.int32]) -> NDArray[np.float32]:
        if logits.ndim != 2 or logits.shape[1] != 1:
            raise ModelDamaged(f"the graph of {self.stamp} gives {logits.shape} for {len(mask)} pairs")
        return self._activation(logits[:, 0])


def _identity(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    return logits.copy()


def _sigmoid(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    import numpy as np

    with np.errstate(over="ignore"):  # Of a large negative logit, the score is 0.
        scores: NDArray[np.float32] = np.reciprocal(1 + np.exp(-logits), dtype=np.float32)
    return scores


def _tanh(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    import numpy as np

    scores: NDArray[np.float32] = np.tanh(logits)
    return scores


def _relu(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    import numpy as np

    scores: NDArray[np.float32] = np.maximum(logits, 0)
    return scores


ACTIVATIONS = {"identity": _identity, "sigmoid": _sigmoid, "tanh": _tanh, "relu": _relu}
"""What may come after the logit, in float32."""

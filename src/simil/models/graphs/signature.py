"""What goes into the graphs that engines run, and what comes out of them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["GRAPH_INPUTS", "GraphKind", "graph_feed", "input_dtypes"]

GRAPH_INPUTS = ("input_ids", "attention_mask", "token_type_ids")


class GraphKind(Enum):
    """What a graph computes; the value lists the names that its output may have, ours first.

    TOKENS: a vector for each token, float32 [texts, tokens, hidden]. LOGITS: what a classifier on top of the
    transformer says of a text or a pair, float32 [texts, labels].
    """

    TOKENS = ("last_hidden_state", "token_embeddings")
    LOGITS = ("logits",)

    @property
    def output(self) -> str:
        """The name of the output in graphs of our own making."""
        return str(self.value[0])


def graph_feed(
    ids: NDArray[np.int32],
    mask: NDArray[np.int32],
    dtypes: Mapping[str, Any],
    segments: NDArray[np.int32] | None = None,
) -> dict[str, NDArray[Any]]:
    """Return the inputs of a graph by name, for token ids and mask, int32 [texts, tokens].

    `dtypes` maps the names of the graph's inputs to their dtypes. `segments` says which of a pair's two texts
    a token belongs to, 0 or 1; None means that every token is in the first.
    """
    import numpy as np

    given = dict(
        zip(GRAPH_INPUTS, (ids, mask, np.zeros_like(ids) if segments is None else segments), strict=True)
    )
    return {name: given[name].astype(dtype, copy=False) for name, dtype in dtypes.items()}


def input_dtypes(session: Any) -> dict[str, Any]:
    """Return the dtypes of an ONNX Runtime session's inputs by name."""
    import numpy as np

    dtypes = {"tensor(int32)": np.int32, "tensor(int64)": np.int64}
    return {value.name: dtypes[value.type] for value in session.get_inputs()}

"""One request to the server, and its reply."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simil.embedders.openai.text_batch import TextBatch
from simil.errors import ServerFailed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from simil.embedders.openai.bisection import Bisection

__all__ = ["EmbeddingReply", "EmbeddingRequest"]


@dataclass(frozen=True, eq=False, slots=True)
class EmbeddingReply:
    """The vectors of one request, float32 [texts, dimensions], the headers, and the tokens counted.

    `faults` says of some texts, by their places in the request, what is wrong with their vectors.
    """

    vectors: NDArray[np.float32]
    faults: Mapping[int, ServerFailed]
    headers: Mapping[str, str]
    tokens: int | None


@dataclass(eq=False, slots=True)
class EmbeddingRequest:
    """Texts of a batch, by their places in it, that wait to be sent, though not before `due`.

    They may be spread over several requests unless `is_whole`. `bisection` is the search that this
    request belongs to, `tries` counts its failures, `absences` those because the server was away, and
    `first_sent` is when it was first sent.
    """

    batch: TextBatch
    places: Sequence[int]
    is_whole: bool = False
    bisection: Bisection | None = None
    tries: int = 0
    absences: int = 0
    due: float = -math.inf
    first_sent: float | None = None

    @property
    def tokens(self) -> int:
        """The tokens of all its texts."""
        return sum(self.batch.sizes[place] for place in self.places)

"""The tokens of many texts as flat arrays: cheap to hand from process to process, and to put into batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain as flatten
from typing import TYPE_CHECKING

from simil.errors import ModelDamaged

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["TokenArrays"]


@dataclass(frozen=True, eq=False, slots=True)
class TokenArrays:
    """Texts as tokens: `ids` int32 [tokens], text behind text, and `lengths` int32 [texts]."""

    ids: NDArray[np.int32]
    lengths: NDArray[np.int32]

    def __len__(self) -> int:
        """Return the number of texts."""
        return len(self.lengths)

    @classmethod
    def of(cls, texts: Sequence[Sequence[int]]) -> TokenArrays:
        """Return the arrays of texts that are given as the ids of their tokens."""
        import numpy as np

        lengths = np.fromiter(map(len, texts), np.int32, len(texts))
        return cls(np.fromiter(flatten.from_iterable(texts), np.int32, int(lengths.sum())), lengths)

    @classmethod
    def joined(cls, parts: Sequence[TokenArrays]) -> TokenArrays:
        """Return the texts of all `parts`, of which there is at least one, in order."""
        import numpy as np

        return cls(
            np.concatenate([part.ids for part in parts]), np.concatenate([part.lengths for part in parts])
        )

    def expect_known(self, vocabulary: int, stamp: str) -> None:
        """Raise `ModelDamaged` for a token beyond the `vocabulary` of the model called `stamp`."""
        if (largest := int(self.ids.max(initial=0))) >= vocabulary:
            raise ModelDamaged(f"the tokenizer of {stamp} gives token {largest}, which the model lacks")

    def starts(self) -> NDArray[np.intp]:
        """Return where each text begins in `ids`."""
        import numpy as np

        ends: NDArray[np.intp] = np.cumsum(self.lengths, dtype=np.intp)
        return ends - self.lengths

    def take(self, rows: NDArray[np.intp] | Sequence[int]) -> TokenArrays:
        """Return the texts at `rows`, in that order."""
        import numpy as np

        chosen = np.asarray(rows, np.intp)
        lengths = self.lengths[chosen]
        taken = TokenArrays(self.ids, lengths)
        # For each token, the place of its text here less its place there.
        shifts = np.repeat(self.starts()[chosen] - taken.starts(), lengths)
        return TokenArrays(self.ids[np.arange(len(shifts)) + shifts], lengths)

    def counts(self, wanted: NDArray[np.bool_]) -> NDArray[np.intp]:
        """Return how many tokens of each text are among those that `wanted`, bool [tokens], marks."""
        import numpy as np

        summed = np.concatenate([np.zeros(1, np.intp), np.cumsum(wanted, dtype=np.intp)])
        starts = self.starts()
        counts: NDArray[np.intp] = summed[starts + self.lengths] - summed[starts]
        return counts

"""Vectors on their way out, with what belongs to each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simil.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["VectorBatch"]


@dataclass(frozen=True, slots=True, eq=False)
class VectorBatch:
    """Some vectors of one model.

    Attributes:
        ids: one for each vector.
        texts: what was embedded, None where that is unknown.
        fields: the other fields of each text.
        vectors: float32 [n, d]; a row of nan stands for a text that failed.
        model: what made them; None if unknown.

    Raises `InputError` when there are not as many of one as of the others.
    """

    ids: Sequence[str]
    texts: Sequence[str | None]
    fields: Sequence[Mapping[str, object]]
    vectors: NDArray[np.float32]
    model: str | None = None

    def __post_init__(self) -> None:
        shape = self.vectors.shape
        if len(shape) != 2 or not len(self.ids) == len(self.texts) == len(self.fields) == shape[0]:
            raise InputError(
                f"{len(self.ids)} ids, {len(self.texts)} texts, {len(self.fields)} sets of fields and "
                f"vectors of shape {shape} do not belong together"
            )

    def __len__(self) -> int:
        return len(self.ids)

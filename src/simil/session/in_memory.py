"""Texts and vectors that a Python program hands over, as what files hold: texts with ids and places."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from simil.errors import InputError, Place
from simil.texts import Text, is_blank
from simil.vectors import VectorFile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["texts_in_memory", "vectors_in_memory"]


def texts_in_memory(strings: Sequence[str], name: str = "texts") -> list[Text]:
    """Return a text for each string; its id is its index from 0.

    Raises `TypeError` for a single string and for what is no string, `InputError` for a blank one.
    """
    if isinstance(strings, str):
        raise TypeError(f"{name} is one string; pass a list of them")
    found: list[Text] = []
    for index, string in enumerate(strings):
        if not isinstance(string, str):
            raise TypeError(f"{name}[{index}] is not a string, but {type(string).__name__}")
        if is_blank(string):
            raise InputError(f"text {index} is blank")
        found.append(Text(str(index), string, Place(name, index), {}))
    return found


def vectors_in_memory(vectors: NDArray[np.floating[Any]], model: str, name: str = "vectors") -> VectorFile:
    """Return `vectors`, floats [n, d], as a file of vectors that `model` made; ids are indices from 0.

    Raises `ValueError` for another shape and for values that are not finite.
    """
    import numpy as np

    rows = np.ascontiguousarray(vectors, dtype=np.float32)
    if rows.ndim != 2:
        raise ValueError(f"{name} has the shape {rows.shape}; pass an array [n, dimensions]")
    if not np.isfinite(rows).all():
        raise ValueError(f"{name} has values that are not finite")
    count = len(rows)
    return VectorFile(
        source=name,
        model=model,
        ids=tuple(map(str, range(count))),
        texts=(None,) * count,
        fields=({},) * count,
        vectors=rows,
    )

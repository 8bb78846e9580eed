"""Texts and vectors that a Python program hands over, as what files hold: texts with ids and places."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from simil.errors import InputError, Place
from simil.texts import Text, is_blank
from simil.vectors import VectorFile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["pairs_in_memory", "texts_in_memory", "vectors_in_memory"]


def texts_in_memory(strings: Sequence[str], name: str = "texts") -> list[Text]:
    """Return a text for each string; its id is its index from 0.

    Raises `TypeError` for a single string and for what is no string, `InputError` for a blank one.
    """
    if isinstance(strings, str):
        raise TypeError(f"{name} is one string; pass a list of them")
    return [
        Text(str(index), _checked(string, f"{name}[{index}]", f"text {index}"), Place(name, index), {})
        for index, string in enumerate(strings)
    ]


def pairs_in_memory(pairs: Iterable[Sequence[str]], name: str = "pairs") -> list[tuple[str, str]]:
    """Return pairs of strings as tuples.

    Raises `TypeError` for what is no pair of strings, `InputError` for a blank text.
    """
    found: list[tuple[str, str]] = []
    for index, pair in enumerate(pairs):
        # A string of two characters is no pair of them.
        if isinstance(pair, str) or not isinstance(pair, Collection) or len(pair) != 2:
            raise TypeError(f"{name}[{index}] is not a pair of strings: {pair!r:.80}")
        first, second = (
            _checked(string, f"{name}[{index}][{side}]", f"text {side} of pair {index}")
            for side, string in enumerate(pair)
        )
        found.append((first, second))
    return found


def _checked(string: object, expression: str, name: str) -> str:
    """Return a text; errors call it as Python does, or by its `name`."""
    if not isinstance(string, str):
        raise TypeError(f"{expression} is not a string, but {type(string).__name__}")
    if is_blank(string):
        raise InputError(f"{name} is blank")
    try:
        string.encode()
    except UnicodeEncodeError as exc:
        raise InputError(f"{name} has half a surrogate pair, which is not a character") from exc
    return string


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

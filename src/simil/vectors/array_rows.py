"""Arrays of numbers as the vectors of a file, with what belongs to each row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from simil.errors import InputError, Place
from simil.vectors.collect import VectorFile, report_left_out
from simil.vectors.descriptions import describe_all
from simil.vectors.embedding_values import ShapeError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["ArrayKind", "as_float32", "table_named", "vectors_of_array", "without_missing"]

_CHECK_ROWS = 4096
# What arrays of vectors are called where a file holds several.
_TABLE_NAMES = ("embeddings", "vectors", "embedding", "vector")
_SHOWN = 8


@dataclass(frozen=True, slots=True)
class ArrayKind:
    """The shape and type of an array in a file that holds several."""

    shape: tuple[int, ...]
    type: str
    is_float: bool

    def __str__(self) -> str:
        return f"{self.type} of shape {list(self.shape)}"


def table_named(source: str, tables: Mapping[str, ArrayKind]) -> str:
    """Return which of the arrays of a file holds the vectors; raises InputError, which lists them."""
    several = {name: table for name, table in tables.items() if table.is_float and len(table.shape) == 2}
    named = [name for name in _TABLE_NAMES if name in several]
    if named or len(several) == 1:
        return named[0] if named else next(iter(several))
    listed = "; ".join(f"{name!r} is {table}" for name, table in [*(several or tables).items()][:_SHOWN])
    if several:
        problem, hint = (
            f"holds {len(several)} tables of floats",
            f"call that of the vectors {_TABLE_NAMES[0]!r}",
        )
    else:
        problem, hint = "holds no table of floats, with a row for each text", "write one of float32"
    raise InputError(f"{problem}: {listed or 'it is empty'}", hint=hint, place=Place(source))


def vectors_of_array(
    source: str,
    raw: NDArray[Any],
    records: Sequence[Mapping[str, object]] | None = None,
    model: str | None = None,
    *,
    beside: str | None = None,
) -> VectorFile:
    """Return the rows of an array [n, d] as vectors; rows that are all nan are left out, and counted.

    `records` hold id, text and other fields of each row, and are in the file `beside` if not in `source`.
    Rows of little-endian float32 are not copied. Raises InputError for other values that are not finite.
    """
    vectors, missing = as_float32(source, raw)
    count = len(vectors)
    if records is None:
        ids = tuple(str(number + 1) for number in range(count))
        file = VectorFile(source, model, ids, (None,) * count, ({},) * count, vectors)
    else:
        try:
            file = VectorFile(source, model, *describe_all(records), vectors)
        except ShapeError as exc:
            raise InputError(str(exc), hint=exc.hint, place=Place(beside or source)) from exc
    return without_missing(file, missing) if missing else file


def without_missing(file: VectorFile, missing: Sequence[int]) -> VectorFile:
    """Return a file without the rows `missing`, which have no vector, and count them on stderr."""
    report_left_out(file.source, len(missing))
    wrong = set(missing)
    kept = [row for row in range(len(file)) if row not in wrong]
    return replace(
        file,
        ids=tuple(file.ids[row] for row in kept),
        texts=tuple(file.texts[row] for row in kept),
        fields=tuple(file.fields[row] for row in kept),
        vectors=file.vectors[kept],
    )


def as_float32(source: str, raw: NDArray[Any]) -> tuple[NDArray[np.float32], list[int]]:
    """Return float32 rows in C order, `raw` itself if it is that already, and which rows are all nan.

    Raises `InputError` for a value that is not finite in any other row.
    """
    import numpy as np

    as_is = raw.dtype == np.float32 and raw.dtype.isnative and raw.flags.c_contiguous
    missing: list[int] = []
    result: NDArray[np.float32] = raw if as_is else np.empty(raw.shape, dtype=np.float32)
    for start in range(0, len(raw), _CHECK_ROWS):
        part = result[start : start + _CHECK_ROWS]
        if not as_is:
            with np.errstate(over="ignore"):
                part[...] = raw[start : start + _CHECK_ROWS]
        # A value that is not finite makes the sum of its row's squares so; a large one may, too.
        if np.isfinite(np.einsum("ij,ij->i", part, part)).all():
            continue
        none = np.isnan(part).all(axis=1)
        missing += (start + np.flatnonzero(none)).tolist()
        finite = np.isfinite(part).all(axis=1) | none
        if not finite.all():
            number = start + int(finite.argmin()) + 1
            raise InputError(f"item {number} has a value that is not a finite float32", place=Place(source))
    return result, missing

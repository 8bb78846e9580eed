"""Vectors in NumPy's `.npz`: an array that is a table of numbers, and arrays of what belongs to its rows."""

from __future__ import annotations

import logging
import math
import sys
import zipfile
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from simil.errors import InputError, Place
from simil.formats.archives import check_expansion
from simil.formats.library_errors import library_errors
from simil.formats.npy import read_npy_header, read_npy_table
from simil.vectors.array_rows import ArrayKind, table_named, vectors_of_array
from simil.vectors.collect import VectorFile

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["read_npz"]

log = logging.getLogger("simil")

_SUFFIX = ".npy"
_KEYS = {"ids": "id", "id": "id", "texts": "text", "text": "text"}
_HINT = "write it again with numpy.savez, or as npy or jsonl"


def read_npz(source: str, stream: BinaryIO) -> VectorFile:
    """Read the array "embeddings" or "vectors", or the only table of floats.

    Arrays with an item for each row are ids, texts or other fields, by their names, and "model" is the model.
    Others are left out, and named in the log. Raises InputError for a file without such a table.
    """
    with library_errors(Place(source), "a sound .npz file", _HINT), zipfile.ZipFile(stream) as archive:
        check_expansion(archive, Place(source))
        tables = {name: _table(source, archive, name) for name in _names(archive)}
        chosen = table_named(source, tables)
        with archive.open(chosen + _SUFFIX) as member:
            raw = read_npy_table(source, cast(BinaryIO, member))
        columns: dict[str, list[Any]] = {}
        model = None
        for name, table in tables.items():
            if name == "model" and table.type.startswith("<U"):
                model = _only_model(source, _array(archive, name))
            elif name != chosen and table.shape == (len(raw),) and table.type != "object":
                columns[name] = _array(archive, name).tolist()
            elif name in _KEYS:
                raise InputError(
                    f"the array {name!r} is {table}, for {len(raw)} vectors",
                    hint="save a string or a number for each of them",
                    place=Place(source),
                )
            elif name != chosen:
                log.warning("%s: the array %r is left out: it is %s", source, name, table)
    records = [_record(dict(zip(columns, row, strict=True))) for row in zip(*columns.values(), strict=True)]
    return vectors_of_array(source, raw, records if columns else None, model)


def _names(archive: zipfile.ZipFile) -> list[str]:
    return [name.removesuffix(_SUFFIX) for name in archive.namelist() if name.endswith(_SUFFIX)]


def _table(source: str, archive: zipfile.ZipFile, name: str) -> ArrayKind:
    with archive.open(name + _SUFFIX) as member:
        shape, _, dtype = read_npy_header(cast(BinaryIO, member), Place(source))
    if math.prod(shape) * dtype.itemsize > archive.getinfo(name + _SUFFIX).file_size:
        raise InputError(f"the array {name!r} is cut short", hint=_HINT, place=Place(source))
    return ArrayKind(shape, str(dtype), is_float=dtype.kind == "f")


def _array(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    import numpy as np

    with archive.open(name + _SUFFIX) as member:
        found: NDArray[Any] = np.lib.format.read_array(member, allow_pickle=False)
    if found.dtype.kind == "U" and found.size:
        codes = np.ascontiguousarray(found.astype(found.dtype.newbyteorder("="))).view(np.uint32)
        # NumPy would make strings of them that no encoding can hold.
        if codes.max(initial=0) > sys.maxunicode:
            raise ValueError(f"the array {name!r} holds numbers that are not characters")
    return found


def _only_model(source: str, names: NDArray[Any]) -> str | None:
    found = {*names.ravel().tolist()}
    if len(found) > 1:
        raise InputError(
            f"its vectors are of {len(found)} models", hint="embed all with one model", place=Place(source)
        )
    return found.pop() or None if found else None


def _record(values: Mapping[str, Any]) -> dict[str, object]:
    """Return what belongs to a row: its id and text, and other values as fields."""
    clean = {name: _as_json(value) for name, value in values.items()}
    fields = {name: value for name, value in clean.items() if name not in _KEYS}
    own = {_KEYS[name]: value for name, value in clean.items() if name in _KEYS}
    return {**own, "fields": fields} if fields else own


def _as_json(value: object) -> object:
    """Return a value as JSON has it: what is neither a string, a number nor a boolean is spelled out."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str | int | float | bool) else str(value)

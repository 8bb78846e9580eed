"""NumPy's `.npy` (NEP 1): the header of rows that are still to come, and the table that a file holds."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Any, BinaryIO

from simil.errors import InputError, Place
from simil.formats.binary_marks import NPY_MAGIC
from simil.formats.file_maps import mapped

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["npy_header", "numbers_of_file", "read_npy_header", "read_npy_table"]

_VERSION = b"\x01\x00"
_HEADER_BYTES = 128  # of format 1.0, with room for any shape; a multiple of 64, so that rows are aligned


def npy_header(count: int, dimensions: int, dtype: np.dtype[Any] | None = None) -> bytes:
    """The header of an array [count, dimensions], float32 if not of `dtype`; always equally long."""
    kind = "<f4" if dtype is None else dtype.str
    text = f"{{'descr': {kind!r}, 'fortran_order': False, 'shape': ({count}, {dimensions}), }}"
    magic = NPY_MAGIC + _VERSION
    size = _HEADER_BYTES - len(magic) - 2
    return magic + size.to_bytes(2, "little") + text.ljust(size - 1).encode("ascii") + b"\n"


def read_npy_table(source: str, stream: BinaryIO) -> NDArray[Any]:
    """The array [n, d] of numbers on `stream`, of any type and order; a read-only map of a file on disk.

    Raises InputError for anything else, and for a file that is cut short.
    """
    import numpy as np

    place = Place(source)
    shape, by_column, dtype = read_npy_header(stream, place)
    if dtype.kind not in "iuf":
        raise InputError(f"holds {dtype} values, not numbers", place=place)
    if len(shape) != 2 or min(shape) < 0 or (shape[0] and not shape[1]):
        raise InputError(f"has shape {shape}; vectors are the rows of a table (n, d)", place=place)
    if not shape[0]:
        return np.empty(shape, dtype)
    raw = numbers_of_file(stream, dtype, shape, place)
    return raw.reshape(shape[::-1]).T if by_column else raw.reshape(shape)


def numbers_of_file(
    stream: BinaryIO, dtype: np.dtype[Any], shape: tuple[int, ...], place: Place
) -> NDArray[Any]:
    """The numbers of a table [n, d] that begins where `stream` stands; a read-only map of a file on disk.

    Raises InputError if there are fewer.
    """
    import numpy as np

    need = shape[0] * shape[1] * dtype.itemsize
    at = _offset_of_file(stream)
    data = stream.read() if at is None else b""
    have = len(data) if at is None else os.fstat(stream.fileno()).st_size - at
    if have < need:
        raise InputError(
            f"is cut short: {shape[0]} vectors of {shape[1]} dimensions take {need} bytes, {have} are there",
            place=place,
        )
    # The array holds the map, which outlives the stream.
    buffer = data if at is None else mapped(stream, place.source)
    return np.frombuffer(buffer, dtype, shape[0] * shape[1], at or 0)


def read_npy_header(stream: BinaryIO, place: Place) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """The shape of the array on `stream`, whether it is by column, and its type.

    Raises InputError for another version, and whatever Python's own parser raises for an unsound header.
    """
    import numpy as np

    version = np.lib.format.read_magic(stream)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if read is None:
        raise InputError(f"is .npy version {version[0]}.{version[1]}; 1.0 and 2.0 are read", place=place)
    header: tuple[tuple[int, ...], bool, np.dtype[Any]] = read(stream)
    return header


def _offset_of_file(stream: BinaryIO) -> int | None:
    """Where `stream` stands in a file that can be mapped; None for anything else."""
    try:
        return stream.tell() if stat.S_ISREG(os.fstat(stream.fileno()).st_mode) else None
    except OSError:
        return None

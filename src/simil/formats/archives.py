"""ZIP archives, such as npz files and workbooks, that would expand to more than a machine holds."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from typing import BinaryIO

from simil.errors import InputError, Place

__all__ = ["check_expansion", "check_workbook"]

# An archive may expand to so many bytes, whatever it holds, and to so many times its size.
_BYTES = 1 << 30
_TIMES = 200
_CHUNK = 1 << 20
# A sheet is read as the rectangle of all its cells, and has at most so many rows.
_CELLS = 100_000_000
_ROWS = 1 << 20
_COLUMN = re.compile(rb"""r=["']([A-Z]{2,3})[0-9]""")
_ROW = re.compile(rb"""r=["'][A-Z]{0,3}([0-9]{3,7})["']""")
_LONGEST = 16  # A reference is shorter than this.


def check_expansion(archive: zipfile.ZipFile, place: Place) -> None:
    """Raise InputError for an archive that says it expands to over 1 GiB and 200 times its size."""
    _check_size(sum(member.file_size for member in archive.infolist()), archive, place)


def check_workbook(stream: BinaryIO, place: Place) -> None:
    """Raise InputError for a workbook of Excel that expands to too much, or has cells too far apart.

    A single cell in the last row and column would make the reader end the whole process. Other kinds of
    workbooks are left alone.
    """
    if not zipfile.is_zipfile(stream):
        return
    with zipfile.ZipFile(stream) as archive:
        check_expansion(archive, place)
        read = 0
        for member in archive.infolist():
            columns = 0
            for part in _parts(archive, member):
                # What an archive says of its members may be less than what comes.
                read += len(part)
                _check_size(read, archive, place)
                columns = max(columns, 0, *map(_number, {*_COLUMN.findall(part)}))
            if columns * _ROWS <= _CELLS or "/worksheets/" not in member.filename:
                continue
            rows = max(int(row) for part in _parts(archive, member) for row in [b"0", *_ROW.findall(part)])
            if rows * columns > _CELLS:
                raise InputError(
                    f"a sheet has cells as far apart as {rows:,} rows and {columns:,} columns",
                    hint="delete those that stand far from the others, or save it as csv",
                    place=place,
                )


def _check_size(size: int, archive: zipfile.ZipFile, place: Place) -> None:
    packed = sum(member.compress_size for member in archive.infolist())
    if size > max(_BYTES, _TIMES * packed):
        raise InputError(
            f"expands to over {size / 1e9:,.1f} GB, over {_TIMES} times its size",
            hint="write it without compression, or as csv, jsonl or parquet",
            place=place,
        )


def _parts(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[bytes]:
    """Yield the content of a member, each part with the end of the one before."""
    member.file_size = 1 << 62
    end = b""
    with archive.open(member) as stream:
        for chunk in iter(lambda: stream.read(_CHUNK), b""):
            yield end + chunk
            end = chunk[-_LONGEST:]


def _number(letters: bytes) -> int:
    """Return the number of a column from its letters: 1 for A, 27 for AA."""
    number = 0
    for letter in letters:
        number = 26 * number + letter - 64
    return number

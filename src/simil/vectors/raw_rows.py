"""The records of vector files as they were read, so that some of them can be written as they came."""

from __future__ import annotations

import tempfile
import weakref
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import replace

from simil.formats.json_spans import with_member
from simil.formats.passthrough import Frame, common_frame, joined

__all__ = ["RawRows", "as_they_came"]

_IN_MEMORY = 1 << 24


class RawRows:
    """The bytes of each record, in a temporary file once they are many: a vector in digits is long.

    Attributes:
        frame: what stands around the records; None while nobody said so.
        has_index: whether each is an object whose "index" is its position.
    """

    def __init__(self) -> None:
        self.frame: Frame | None = None
        self.has_index = False
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - closed with the object
        self._ends = array("Q", [0])
        self._order: Sequence[int] | None = None
        weakref.finalize(self, self._file.close)

    def mark(self, mark: bytes) -> None:
        """Let the file begin with this byte order mark."""
        if self.frame is not None:
            self.frame = replace(self.frame, head=mark + self.frame.head)

    def append(self, raw: bytes) -> None:
        """Add the bytes of the next record."""
        self._file.write(raw)
        self._ends.append(self._ends[-1] + len(raw))

    def reorder(self, order: Sequence[int]) -> None:
        """Let the records be those with these numbers, in this order."""
        self._order = order

    def of(self, rows: Sequence[int]) -> Iterator[bytes]:
        """Yield the bytes of some records, by their place in the order."""
        for row in rows:
            place = row if self._order is None else self._order[row]
            start, end = self._ends[place], self._ends[place + 1]
            self._file.seek(start)
            yield self._file.read(end - start)


def as_they_came(files: Sequence[tuple[RawRows | None, Sequence[int]]]) -> Iterator[bytes] | None:
    """The bytes of a file with some records of vector files, None if these do not go into one file.

    Only an "index" that is the position of a record is another number where that has changed.
    """
    kept = [raw for raw, _ in files if raw is not None]
    frame = common_frame([raw.frame for raw in kept])
    if frame is None or len(kept) < len(files):
        return None
    records = (
        (raw.has_index, record) for raw, (_, rows) in zip(kept, files, strict=True) for record in raw.of(rows)
    )
    return joined(
        frame,
        (
            with_member(record, "index", str(number).encode()) if has_index else record
            for number, (has_index, record) in enumerate(records)
        ),
    )

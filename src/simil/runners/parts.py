"""Plans a run: divides its input into parts, which are the same for the same input wherever it runs."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from simil.runners.input_source import InputFile
from simil.runners.slices import FileSlice
from simil.runners.survey import MARKED_LINES, FileFacts

__all__ = ["Part", "part_rows", "plan_parts"]

# So many parts keep all actors of most clusters busy to the end; fewer rows than the least are not worth a
# file, more than the most are too much to lose.
_PARTS = 512
_LEAST, _MOST = 4096, 65_536
_VECTOR_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Part:
    """Some rows of the input that go to one file of the output.

    Attributes:
        number: its place in the output, from 0.
        slices: which rows of which files.
    """

    number: int
    slices: tuple[FileSlice, ...]

    @property
    def name(self) -> str:
        """What its file is called."""
        return f"part-{self.number:05}.parquet"

    @property
    def rows(self) -> int:
        """How many rows it has, roughly where a file is not divided."""
        return sum(one.rows for one in self.slices)


def part_rows(total: int, dimensions: int | None) -> int:
    """Return how many rows a part has, of so many in all that get vectors of so many dimensions."""
    most = min(_MOST, _VECTOR_BYTES // (4 * (dimensions or 1024)))
    rows = max(min(_LEAST, most), min(total // _PARTS, most))
    return max(rows // MARKED_LINES, 1) * MARKED_LINES


def plan_parts(files: Sequence[tuple[InputFile, FileFacts, int]], rows: int) -> list[Part]:
    """Return parts of about so many `rows` each, in the order of the files.

    Each file comes with the number of rows that precede it in its folder.
    """
    parts: list[Part] = []
    slices: list[FileSlice] = []
    room = rows
    for file, facts, before in files:
        for one in _slices(file, facts, before, rows, room):
            slices.append(one)
            room -= one.rows
            if room < MARKED_LINES:
                parts.append(Part(len(parts), tuple(slices)))
                slices, room = [], rows
    if not parts and not slices:  # No rows, but columns.
        slices = [FileSlice(file, facts.form, 0, 0, 0, before) for file, facts, before in files]
    if slices:
        parts.append(Part(len(parts), tuple(slices)))
    return parts


def _slices(file: InputFile, facts: FileFacts, before: int, rows: int, room: int) -> Iterator[FileSlice]:
    """Yield the slices of a file: the first fits into the `room` of a part, the others into `rows`."""
    if not facts.is_divisible:
        yield FileSlice(file, facts.form, facts.rows, before=before)
        return
    start = 0
    while start < facts.rows:
        stop = min(start + room, facts.rows)
        if facts.marks:
            one = _of_lines(file, facts, start, stop)
        else:
            one = FileSlice(file, facts.form, stop - start, start, stop, before)
        yield one
        room = rows if room - one.rows < MARKED_LINES else room - one.rows
        start += one.rows


def _of_lines(file: InputFile, facts: FileFacts, start: int, stop: int) -> FileSlice:
    """Return the lines from a mark to the last one before `stop`, or the next one after it."""
    here = bisect_left(facts.marks, start, key=lambda mark: mark.line)
    there = max(bisect_right(facts.marks, stop, key=lambda mark: mark.line) - 1, here + 1)
    is_last = stop == facts.rows or there == len(facts.marks)
    end, last = (file.size, facts.rows) if is_last else (facts.marks[there].byte, facts.marks[there].line)
    return FileSlice(
        file,
        facts.form,
        last - start,
        facts.marks[here].byte,
        end,
        start,
        lead=facts.lead if start else b"",
        encoding=facts.encoding,
        last_number=start if facts.are_numbered else 0,
    )

"""Tables of rows that all have the same columns are written without waiting for the last row."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from simil.formats.arrow_rows import arrow_rows
from simil.formats.delimited import CSV
from simil.formats.tables import AlikeRows, table_lines

ROWS = [{"a": f"value {number}", "b": str(number)} for number in range(40_000)]


def test_a_table_is_that_of_rows_in_a_list() -> None:
    assert [*table_lines(CSV, AlikeRows(ROWS))] == [*table_lines(CSV, ROWS)]
    assert [*table_lines(CSV, AlikeRows([]), ["a", "b"])] == [*table_lines(CSV, [], ["a", "b"])]


def test_a_table_of_arrow_is_that_of_rows_in_a_list() -> None:
    assert b"".join(arrow_rows("parquet", AlikeRows(ROWS))) == b"".join(arrow_rows("parquet", ROWS))


def test_rows_are_read_as_they_are_written() -> None:
    read = 0

    def rows() -> Iterator[dict[str, str]]:
        nonlocal read
        for row in ROWS:
            read += 1
            yield row

    assert len([*islice(table_lines(CSV, AlikeRows(rows())), 5)]) == 5
    assert 0 < read < len(ROWS)

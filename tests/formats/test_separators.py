"""What separates the cells of a CSV file, told by its first row."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simil.errors import InputError, Place
from simil.formats.delimited import CSV, TSV, TableRow, delimited_lines
from simil.formats.record_stream import FormatOptions
from simil.formats.separators import is_misread, separated
from simil.formats.tables import rows_of, table_records


def told(text: str, given: str | None = None) -> str:
    return separated(iter(text.encode().split(b"\n")), "x", given).separator


def rows(data: bytes, **options: Any) -> list[list[str]]:
    found = []
    for row in rows_of(CSV, iter([data]), "x", FormatOptions(**options)).rows:
        assert isinstance(row, TableRow), row
        found.append(row.cells)
    return found


@pytest.mark.parametrize(
    ("header", "separator"),
    [
        ("", ","),
        ("text", ","),
        ("text,note", ","),
        ("text;note", ";"),
        ("text;note\r", ";"),
        ("text\tnote", "\t"),
        ("text|note|", "|"),
        ("first name; last, first", ","),
        ("\n\ntext;note", ";"),
        ('"text";"note"', ";"),
        ('"a;b"', ","),
        ('"a;b",c', ","),
        ('"a,b";c', ";"),
        ('"a\n;""b",c;d', ","),
        ('"a\n,""b";c', ";"),
        ('5" pipe;6" pipe', ";"),
        ('"a\nb"\nc;d', ","),
        ("text\na;b", ","),
        ("sep=;", ";"),
        ("sep=|\r", "|"),
        ("SEP=;\nid;text", ";"),
        ("sep=^\na^b", "^"),
        ("sep=;\na,b", ";"),
        ('"sep=;"', ","),
        ("sep=a", ","),
        ("sep=;;", ";"),
        ("\nsep=;", ";"),
    ],
)
def test_the_first_row_tells(header: str, separator: str) -> None:
    assert told(header) == separator
    assert told(header, "#") == "#"


def test_two_separators_as_likely_are_refused() -> None:
    with pytest.raises(InputError) as caught:
        told("\na;b|c\nd")
    assert (
        str(caught.value) == "x:2: the columns could be separated by ';' or '|'; say which with --delimiter"
    )
    assert told("\na;b|c\nd", "|") == "|"


def test_a_line_that_names_the_separator_is_no_row() -> None:
    assert rows(b"sep=;\r\ntext;n\r\na;1\r\n") == [["text", "n"], ["a", "1"]]
    assert rows(b"\xef\xbb\xbfsep=\t\ntext\tn\n", delimiter=",") == [["text\tn"]]
    stream = table_records(CSV, iter([b"sep=;\ntext;n\n\na;1\nb\n"]), "x")
    a, b, c = stream.records
    assert not isinstance(a, InputError)
    assert not isinstance(b, InputError)
    assert (stream.place.line, a.place.line, b.place.line, b.value) == (2, 3, 4, {"text": "a", "n": "1"})
    assert isinstance(c, InputError)
    assert c.place == Place("x", 5)


def test_a_name_that_holds_a_separator_can_be_meant() -> None:
    data = b"what; when\na, b; c\n"
    assert rows(data) == [["what", " when"], ["a, b", " c"]]
    (error,) = table_records(CSV, iter([b"what; when\na\n"]), "x").records
    assert str(error) == (
        "x:2: the row has 1 cell, the table 2 columns; "
        "by the first row, cells are separated by ';'; if not, pass --delimiter ,"
    )
    assert rows(b"what; when\na\n", delimiter=",") == [["what; when"], ["a"]]


def test_quotes_work_with_any_separator() -> None:
    data = 'a;"b;c"\r\n"d\r\n""e""";f,g\r\n'
    expected = [["a", "b;c"], ['d\r\n"e"', "f,g"]]
    assert rows(data.encode()) == expected
    for separator in "\t|^§":
        assert rows(data.replace(";", separator).encode(), delimiter=separator) == [
            [cell.replace(";", separator) for cell in row] for row in expected
        ]


def test_tsv_is_split_at_any_separator() -> None:
    (found,) = rows_of(TSV, iter([b'"a;b\t"\n']), "x", FormatOptions(delimiter=";")).rows
    assert isinstance(found, TableRow)
    assert found.cells == ['"a', 'b\t"']


# What a first row could be mistaken for.
cell = st.lists(
    st.sampled_from([";", "\t", "|", ",", '"', "\n", "\r", "sep=", "\ufeff", "a", ""]), max_size=6
)
first_rows = st.lists(cell.map("".join), min_size=1, max_size=3)


@given(first=first_rows, second=first_rows)
def test_what_is_written_is_read_as_it_was(first: list[str], second: list[str]) -> None:
    assert rows(b"".join(delimited_lines(CSV, [first, second]))) == [first, second]


@pytest.mark.parametrize("header", ["a;b", "a|b;c", "\t", "sep=;", "sep=,", "\ufeffsep=;"])
def test_a_header_of_one_column_is_quoted_where_it_would_be_misread(header: str) -> None:
    assert is_misread(header)
    assert b"".join(delimited_lines(CSV, [[header]])) == f'"{header}"\n'.encode()
    assert not is_misread(f'"{header}"')


@pytest.mark.parametrize("mark", [",", ";", "|"])
def test_a_tsv_of_one_column_that_other_marks_separate(mark: str) -> None:
    data = f"id{mark}text\n1{mark}a cat\n".encode()
    with pytest.raises(InputError, match=re.escape(f"is one column, 'id{mark}text', whose name holds")):
        table_records(TSV, iter([data]), "x")
    for delimiter, columns in (("\t", (f"id{mark}text",)), (mark, ("id", "text"))):
        assert table_records(TSV, iter([data]), "x", FormatOptions(delimiter=delimiter)).columns == columns
    assert table_records(TSV, iter([data]), "x", FormatOptions(header=False)).columns == ("1",)

"""Pairs: two texts of one row."""

from __future__ import annotations

import pytest
from support.reading import named

from simil.errors import InputError, Place, UsageError
from simil.texts import InputFormat, Pair, ReadOptions, read_pairs

CSV, TSV, JSON, JSONL = InputFormat.CSV, InputFormat.TSV, InputFormat.JSON, InputFormat.JSONL


def test_two_columns_are_the_pair(tmp_path, pair_up):
    file = tmp_path / "a.csv"
    file.write_text("one,two\nApple,Orange\nApple,Lightning\n")
    assert pair_up(file).items == [
        Pair("2", "Apple", "Orange", Place(str(file), 2), {"one": "Apple", "two": "Orange"}),
        Pair("3", "Apple", "Lightning", Place(str(file), 3), {"one": "Apple", "two": "Lightning"}),
    ]


@pytest.mark.parametrize(
    ("form", "content"),
    [
        (CSV, b"b,n,a\nB,1,A\n"),
        (TSV, b"b\tn\ta\nB\t1\tA\n"),
        (JSONL, b'\n{"b":"B","n":"1","a":"A"}\n'),
        (JSON, b'[null,{"b":"B","n":"1","a":"A"}]'),
    ],
)
def test_two_fields_are_named(pair_up, form, content):
    [pair] = pair_up("-", stdin=content, format=form, fields=("a", "b")).items
    assert pair == Pair("2", "A", "B", Place("stdin", 2), {"b": "B", "n": "1", "a": "A"})
    assert list(pair.fields) == ["b", "n", "a"]


def test_columns_may_be_numbers(pair_up):
    content = b"A,1,B\n"
    [pair] = pair_up("-", stdin=content, format=CSV, header=False, fields=("3", "1"), id_field="2").items
    assert pair == Pair("1", "B", "A", Place("stdin", 1), {"1": "A", "2": "1", "3": "B"})


def test_the_id_is_not_one_of_the_two(pair_up):
    assert pair_up("-", stdin=b"a,sku,b\nA,x,B\n", format=CSV, id_field="sku").items == [
        Pair("x", "A", "B", Place("stdin", 2), {"a": "A", "sku": "x", "b": "B"})
    ]
    assert pair_up("-", stdin=b'{"id":7,"a":"A","b":"B"}', format=JSONL).items == [
        Pair("7", "A", "B", Place("stdin", 1), {"id": 7, "a": "A", "b": "B"})
    ]


def test_the_key_id_does_not_count_where_it_is_a_text(pair_up):
    [pair] = pair_up("-", stdin=b'{"id":"A","b":"B"}', format=JSONL, fields=("id", "b")).items
    assert (pair.id, pair.left, pair.right) == ("1", "A", "B")


def test_the_first_record_decides_which_is_left(pair_up):
    done = pair_up("-", stdin=b'{"a":"A","b":"B"}\n{"b":"D","a":"C"}\n{"a":"E","c":"F"}\n', format=JSONL)
    assert [(pair.left, pair.right) for pair in done.items] == [("A", "B"), ("C", "D")]
    assert [str(error) for error in done.errors] == [
        "stdin:3: no field 'b'; there are: 'a', 'c'; name one with --field"
    ]


def test_a_row_with_a_blank_text_is_skipped(pair_up):
    done = pair_up("-", stdin=b"a,b\n,x\nx, \n\nA,B\n", format=CSV)
    assert done.ids == ["5"]
    assert done.blanks == [Place("stdin", line) for line in (2, 3, 4)]


@pytest.mark.parametrize(
    ("form", "content", "line"),
    [
        (
            CSV,
            b"a,b,c\n",
            "stdin:1: which two fields are the pair? There are: 'a', 'b', 'c'; pass --field twice",
        ),
        (TSV, b"a\n1\n", "stdin:1: which two fields are the pair? There are: 'a'; pass --field twice"),
        (
            JSONL,
            b'\n{"a":"","b":"","c":"","id":1}',
            "stdin:2: which two fields are the pair? There are: 'a', 'b', 'c', 'id'; pass --field twice",
        ),
    ],
)
def test_it_must_be_clear_which_two(pair_up, form, content, line):
    with pytest.raises(UsageError) as caught:
        pair_up("-", stdin=content, format=form)
    assert str(caught.value) == line


@pytest.mark.parametrize(
    ("source", "options", "line"),
    [
        ("a.txt", {}, "^a.txt: pairs need two fields, and plain text has none; pass --input-format"),
        ("-", {}, "^stdin: pairs need two fields"),
        ("a.csv", {"whole": True}, "pairs need two fields"),
        ("a.csv", {"fields": ("a",)}, "pass --field twice"),
        ("a.csv", {"fields": ("a", "b", "c")}, "pass --field twice"),
        ("a.json", {"header": False}, "--no-header is for csv, tsv and xlsx"),
    ],
)
def test_options_that_do_not_fit(source, options, line):
    with pytest.raises(UsageError, match=line):
        how = ReadOptions(**options)
        read_pairs(named(source, how), how, on_blank=lambda place: None)


def test_a_missing_file_is_told_at_once(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_pairs(named(tmp_path / "a.csv"), ReadOptions(), on_blank=lambda place: None)


def test_a_column_that_is_not_there(pair_up):
    with pytest.raises(InputError) as caught:
        pair_up("-", stdin=b"a,b\n", format=CSV, fields=("a", "c"))
    assert str(caught.value) == "stdin:1: no field 'c'; there are: 'a', 'b'; name one with --field"


def test_an_empty_table_has_no_pairs(pair_up):
    assert pair_up("-", stdin=b"", format=CSV).items == []
    assert pair_up("-", stdin=b"[]", format=JSON).items == []


def test_a_bad_row_is_told_and_the_next_is_read(pair_up):
    content = b'"x"\n{"a":"A","b":1}\n{"a":"\xff","b":"B"}\n{"a":"A"\n{"a":"A","b":"B"}\n'
    done = pair_up("-", stdin=content, format=JSONL, fields=("a", "b"))
    assert done.ids == ["5"]
    assert [error.place for error in done.errors] == [
        Place("stdin", 1), Place("stdin", 2), Place("stdin", 3, 7), Place("stdin", 4, 9),
    ]  # fmt: skip
    assert done.errors[0].message == "the record is a string"
    assert done.errors[1].message == "field 'b' is a number, not a string"


def test_an_error_is_raised_where_nobody_listens(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("a,b\nA,B\nC\n")
    pairs = read_pairs(named(file), ReadOptions(), on_blank=lambda place: None)
    assert next(pairs).id == "2"
    with pytest.raises(InputError, match=":3: the row has 1 cell, the table 2 columns"):
        next(pairs)

"""CSV and TSV."""

from __future__ import annotations

import csv
import io
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.reading import opened

from simil.errors import InputError, Place
from simil.formats.tables import apart
from simil.texts import InputFormat, ReadOptions, Text, is_blank, read_texts

CSV, TSV = InputFormat.CSV, InputFormat.TSV
BOTH = pytest.mark.parametrize(("form", "tab"), [(CSV, ","), (TSV, "\t")])


def table(tab, *rows):
    return "".join(tab.join(row) + "\n" for row in rows).encode()


@pytest.mark.parametrize(("suffix", "tab"), [("csv", ","), ("tsv", "\t")])
def test_a_row_is_a_text_with_the_other_columns(tmp_path, read, suffix, tab):
    file = tmp_path / f"a.{suffix}"
    file.write_bytes(
        b"\xef\xbb\xbf" + table(tab, ["sku", "text", "price"], ["x", "Apple", "1"], ["y", "Pear", ""])
    )
    done = read(file)
    assert done.items == [
        Text("2", "Apple", Place(str(file), 2), {"sku": "x", "price": "1"}),
        Text("3", "Pear", Place(str(file), 3), {"sku": "y", "price": ""}),
    ]
    assert list(done.items[0].fields) == ["sku", "price"]
    assert read(file, id_field="sku").ids == ["x", "y"]
    assert read(file, id_field="1", fields=("3",)).items == [
        Text("x", "1", Place(str(file), 2), {"text": "Apple"})
    ]
    assert read(file, "-", stdin=b"s").ids == [f"{file}:2", f"{file}:3", "-:1"]


@BOTH
@pytest.mark.parametrize(
    ("columns", "fields", "text"),
    [
        (["a", "text"], (), "2"),
        (["a"], (), "1"),
        (["a", "b"], ("b",), "2"),
        (["a", "b"], ("1",), "1"),
        (["2", "1"], ("1",), "2"),
        (["text", "b"], ("b",), "2"),
        (["", "b"], ("",), "1"),
    ],
)
def test_which_column_is_the_text(read, *, form, tab, columns, fields, text):
    cells = [str(n + 1) for n in range(len(columns))]
    assert read(stdin=table(tab, columns, cells), format=form, fields=fields).texts == [text]


@BOTH
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "no field 'text'; there are: 'a', 'b'; name one with --field"),
        ({"fields": ("c",)}, "no field 'c'; there are: 'a', 'b'; name one with --field"),
        ({"fields": ("3",)}, "no field '3'; there are: 'a', 'b'; name one with --field"),
        ({"fields": ("0",)}, "no field '0'; there are: 'a', 'b'; name one with --field"),
        ({"fields": ("²",)}, "no field '²'; there are: 'a', 'b'; name one with --field"),
        (
            {"fields": ("a",), "id_field": "c"},
            "no field 'c'; there are: 'a', 'b'; name one with --id-field",
        ),
    ],
)
def test_a_column_that_is_not_there_is_raised_though_somebody_listens(read, form, tab, options, message):
    for rows in ([], [["x", "y"]]):
        with pytest.raises(InputError) as caught:
            read(stdin=b"\n" + table(tab, ["a", "b"], *rows), format=form, **options)
        assert str(caught.value) == f"stdin:2: {message}"


@BOTH
@pytest.mark.parametrize("rows", [[], [["text"]], [["n", "text"]]])
def test_a_table_without_rows_is_empty(read, form, tab, rows):
    assert read(stdin=table(tab, *rows), format=form).items == []
    assert read(stdin=table(tab, *rows)[:-1], format=form).items == []


def test_an_empty_table_is_empty_whatever_is_asked_of_it(read):
    assert read(stdin=b"", format=CSV, fields=("a",), id_field="b").items == []
    assert read(stdin=b"", format=TSV, header=False).items == []


@BOTH
def test_a_column_called_id_gives_ids_unasked(read, form, tab):
    content = table(tab, ["id", "text", "n"], ["x", "Apple", "1"])
    assert read(stdin=content, format=form).items == [Text("x", "Apple", Place("stdin", 2), {"n": "1"})]
    assert read(stdin=content, format=form, fields=("id",)).items == [
        Text("2", "x", Place("stdin", 2), {"text": "Apple", "n": "1"})
    ]


@BOTH
def test_without_a_header_columns_have_numbers(read, form, tab):
    content = b"\n" + table(tab, ["x", "Apple"], ["y", "Pear"])
    done = read(stdin=content, format=form, header=False, fields=("2",), id_field="1")
    assert done.items == [
        Text("x", "Apple", Place("stdin", 2), {}),
        Text("y", "Pear", Place("stdin", 3), {}),
    ]
    assert done.blanks == [Place("stdin", 1)]
    assert read(stdin=table(tab, ["a"], ["b"]), format=form, header=False).texts == ["a", "b"]


@BOTH
def test_without_a_header_the_first_good_row_gives_the_width(read, form, tab):
    done = read(stdin=b"\xff\n" + table(tab, ["a", "b"], ["c"]), format=form, header=False, fields=("2",))
    assert done.texts == ["b"]
    assert [error.place for error in done.errors] == [Place("stdin", 1, 1), Place("stdin", 3)]


@BOTH
def test_blank_rows_and_cells_are_told(read, form, tab):
    done = read(
        stdin=b"\n" + table(tab, ["n", "text"], ["1", " "]) + b"\r\n" + table(tab, ["2", "a"]), format=form
    )
    assert [(item.id, item.text) for item in done.items] == [("5", "a")]
    assert done.blanks == [Place("stdin", line) for line in (1, 3, 4)]


@BOTH
@pytest.mark.parametrize(
    ("row", "message"),
    [
        (["x"], "the row has 1 cell, the table 2 columns"),
        (["x", "y", "z"], "the row has 3 cells, the table 2 columns"),
    ],
)
def test_a_ragged_row(read, *, form, tab, row, message):
    content = table(tab, ["n", "text"], ["1", "a"], row, ["2", "b"])
    done = read(stdin=content, format=form)
    [error] = done.errors
    assert (error.place, error.message) == (Place("stdin", 3), message)
    assert error.hint
    assert done.ids == ["2", "4"]


@BOTH
def test_columns_of_one_name_are_kept_apart(read, form, tab):
    content = table(tab, ["text", "b", "b", ""], ["x", "1", "2", "3"])
    assert read(stdin=content, format=form).items == [
        Text("2", "x", Place("stdin", 2), {"b#2": "1", "b#3": "2", "": "3"})
    ]
    assert read(stdin=content, format=form, fields=("3",)).texts == ["2"]
    assert read(stdin=content, format=form, fields=("b#2",), id_field="3").ids == ["2"]


@BOTH
@pytest.mark.parametrize(
    ("columns", "options", "problem"),
    [
        (
            ["a", "b", "b"],
            {"fields": ("b",)},
            "2 columns are named 'b'; name one with --field: 'b#2' or 'b#3'",
        ),
        (
            ["text", "b", "b"],
            {"id_field": "b"},
            "2 columns are named 'b'; name one with --id-field: 'b#2' or 'b#3'",
        ),
        (["text", "text"], {}, "2 columns are named 'text'; name one with --field: 'text#1' or 'text#2'"),
    ],
)
def test_a_name_of_two_columns_that_is_asked_for(read, *, form, tab, columns, options, problem):
    with pytest.raises(InputError) as caught:
        read(stdin=table(tab, columns), format=form, **options)
    assert str(caught.value) == f"stdin:1: {problem}"


def test_names_apart_are_names_of_no_other_column():
    assert apart(["a", "a", "a#1", "", ""]) == ("a#1#", "a#2", "a#1", "#4", "#5")
    assert apart(["a", "b", ""]) == ("a", "b", "")


@BOTH
def test_columns_without_a_name_are_not_in_the_way(read, form, tab):
    done = read(stdin=table(tab, ["", "note", "", ""], ["0", "x", "", ""], ["1", "y"]), format=form)
    assert done.texts == ["x", "y"]
    assert done.items[1].fields == {"#1": "1", "#3": "", "#4": ""}


@BOTH
def test_empty_cells_beyond_the_columns_are_none(read, form, tab):
    done = read(stdin=table(tab, ["n", "text"], ["1", "a", "", ""], ["2", "b", "", "c"]), format=form)
    assert done.texts == ["a"]
    assert [error.message for error in done.errors] == ["the row has 4 cells, the table 2 columns"]


def test_a_carriage_return_in_a_cell_is_text(read):
    content = b'n,text\r\n1,a\rb\r\n"2\r",\rc\r\r\n3,"d\r\ne\rf"\r\n'
    done = read(stdin=content, format=CSV)
    assert done.errors == []
    assert done.texts == ["a\rb", "\rc\r", "d\r\ne\rf"]
    assert [item.fields["n"] for item in done.items] == ["1", "2\r", "3"]


def test_a_table_whose_lines_end_with_carriage_returns(read):
    done = read(stdin=b'n,text\r1,a\r2,"b, c"\r', format=CSV)
    assert [(item.id, item.text) for item in done.items] == [("2", "a"), ("3", "b, c")]
    with pytest.raises(InputError, match="stdin:1: a carriage return stands outside quotes"):
        read(stdin=b"n,text\r1,a\r2,b\r\n", format=CSV)


@BOTH
def test_a_header_that_cannot_be_read_is_raised_though_somebody_listens(read, form, tab):
    with pytest.raises(InputError) as caught:
        read(stdin=b"\nt" + tab.encode() + b"\xe9xt\na\n", format=form)
    assert caught.value.place == Place("stdin", 2, 3)


def test_the_first_error_is_raised_where_nobody_listens():
    stream = io.BytesIO(b"text,n\na,1\nb\nc,3\n")
    how = ReadOptions(format=CSV)
    texts = read_texts(opened([], how, stream), how, on_blank=lambda place: None)
    assert next(texts).text == "a"
    with pytest.raises(InputError, match="stdin:3: the row has 1 cell"):
        next(texts)


def test_quoted_cells(read):
    content = b'n,text\r\n1,"say ""hi"", he\r\nsaid\n"\r\n2,plain\r\n"3","x"\r\n'
    assert [(item.id, item.text) for item in read(stdin=content, format=CSV).items] == [
        ("2", 'say "hi", he\r\nsaid\n'),
        ("5", "plain"),
        ("6", "x"),
    ]


def test_only_a_newline_ends_a_csv_line(read):
    content = "text\na\u2028b\x0bc\x85\n".encode()
    assert read(stdin=content, format=CSV).texts == ["a\u2028b\x0bc\x85"]


def test_tsv_quotes_nothing(read):
    content = b'text\tn\r\n"a\t1\r\n\\t "" b"\t2'
    assert read(stdin=content, format=TSV).texts == ['"a', '\\t "" b"']


def test_a_huge_cell(read, pieces):
    cell = b"x, \n" * 2_500_000
    content = b'text,n\n"' + cell + b'",1\nb,2\n'
    done = read(stdin=pieces(content[at : at + 65536] for at in range(0, len(content), 65536)), format=CSV)
    assert [len(text) for text in done.texts] == [len(cell), 1]
    assert done.ids == ["2", str(2_500_003)]


def test_a_quote_that_is_never_closed_names_where_its_row_begins(read):
    done = read(stdin=b'n,text\n1,a\n2,"b\n3,c\n4,d\n', format=CSV)
    [error] = done.errors
    assert error.place == Place("stdin", 3)
    assert error.message == "a quote opened in the row that begins here is never closed"
    assert done.texts == ["a"]


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_a_quote_that_is_opened_last_is_not_lost(read, end):
    [error] = read(stdin=b'text\n"' + end, format=CSV).errors
    assert error.place == Place("stdin", 2)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (b'1,"a" b', "not valid CSV: ',' expected after '\"'"),
        (b'1,"a\rb" c', "not valid CSV: ',' expected after '\"'"),
    ],
)
def test_a_row_that_is_not_csv(read, row, message):
    done = read(stdin=b"n,text\n0,x\n" + row + b"\n2,b\n", format=CSV)
    assert [(error.place, error.message) for error in done.errors] == [(Place("stdin", 3), message)]
    assert [(item.id, item.text) for item in done.items] == [("2", "x"), ("4", "b")]


def test_a_bad_byte_in_a_quoted_cell_spoils_its_row_alone(read):
    done = read(stdin=b'n,text\n1,"a\n\xc3\xa4\xe9, \xff\n\xfe"\n2,c\n', format=CSV)
    assert [error.place for error in done.errors] == [Place("stdin", 3, 2)]
    assert [(item.id, item.text) for item in done.items] == [("5", "c")]


def test_a_null_character_is_text(read):
    assert read(stdin=b'text\na\0b\n"\0"\n', format=CSV).texts == ["a\0b", "\0"]


CELLS = st.text(st.characters(codec="utf-8"), max_size=8)


@settings(deadline=None)
@given(rows=st.lists(st.tuples(CELLS, CELLS)), end=st.sampled_from(["\n", "\r\n"]))
def test_any_cells_come_back_from_csv(read, rows, end):
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "rows.csv")
        with file.open("w", encoding="utf-8", newline="") as stream:
            # A line ending of two characters makes the writer quote cells that hold either of them.
            writer = csv.writer(
                stream, lineterminator=end, quoting=csv.QUOTE_ALL if end == "\n" else csv.QUOTE_MINIMAL
            )
            writer.writerow(["note", "text"])
            writer.writerows(rows)
        done = read(file)
    assert [(item.text, item.fields) for item in done.items] == [
        (text, {"note": note}) for note, text in rows if not is_blank(text)
    ]
    assert len(done.blanks) == len(rows) - len(done.items)
    assert done.errors == []
    lines = 1
    starts = []
    for row in rows:
        starts.append(lines + 1)
        lines += 1 + sum(cell.count("\n") for cell in row)
    assert done.ids == [str(line) for line, (_, text) in zip(starts, rows, strict=True) if not is_blank(text)]


@settings(deadline=None)
@given(st.lists(st.tuples(*[st.text(st.characters(codec="utf-8", exclude_characters="\t\n\r"))] * 2)))
def test_any_cells_come_back_from_tsv(read, rows):
    done = read(stdin=table("\t", ["note", "text"], *rows), format=TSV)
    assert [(item.id, item.text, item.fields) for item in done.items] == [
        (str(n), text, {"note": note}) for n, (note, text) in enumerate(rows, 2) if not is_blank(text)
    ]
    assert done.errors == []


@settings(deadline=None)
@given(
    data=st.data(),
    content=st.text(st.sampled_from('ab,"\r\né\t'), max_size=40),
    form=st.sampled_from([CSV, TSV]),
)
def test_where_the_stream_is_cut_makes_no_difference(read, pieces, *, data, content, form):
    raw = b"text\n" + content.encode()
    cuts = sorted(data.draw(st.sets(st.integers(0, len(raw)))))
    parts = [raw[a:b] for a, b in zip([0, *cuts], [*cuts, len(raw)], strict=True)]

    def outcome(done):
        return done.items, done.blanks, [str(error) for error in done.errors]

    assert outcome(read(stdin=pieces(parts), format=form)) == outcome(read(stdin=raw, format=form))


@settings(deadline=None)
@given(rows=st.lists(CELLS), rest=st.text(st.characters(codec="utf-8", exclude_characters='"')))
def test_an_open_quote_is_told_whatever_it_swallows(read, rows, rest):
    buffer = io.StringIO()
    csv.writer(buffer, quoting=csv.QUOTE_ALL).writerows([["text"], *([row] for row in rows)])
    content = buffer.getvalue()
    done = read(stdin=f'{content}"{rest}'.encode(), format=CSV)
    [error] = done.errors
    assert error.place == Place("stdin", content.count("\n") + 1)
    assert "never closed" in error.message
    assert done.texts == [row for row in rows if not is_blank(row)]


@settings(deadline=None)
@given(data=st.data(), rows=st.lists(st.tuples(CELLS, CELLS)))
def test_a_bad_byte_anywhere_in_csv_is_placed(read, data, rows):
    buffer = io.StringIO()
    csv.writer(buffer, quoting=csv.QUOTE_ALL).writerows([("note", "text"), *rows, ("n", "last")])
    content = buffer.getvalue()
    begin = len('"note","text"\r\n')
    # Inside quotes only: elsewhere the byte breaks the row's shape too.
    inside = [at for at in range(begin, len(content)) if content[begin:at].count('"') % 2]
    at = data.draw(st.sampled_from(inside))
    before = content[:at]
    done = read(stdin=before.encode() + b"\xff" + content[at:].encode(), format=CSV)
    line = before.count("\n") + 1
    column = len(before) - (before.rfind("\n") + 1) + 1
    assert done.errors[0].place == Place("stdin", line, column)
    assert done.errors[0].message == "byte 0xff is not UTF-8"

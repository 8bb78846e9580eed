"""JSON Lines and JSON documents."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simil.errors import InputError, Place
from simil.texts import InputFormat, Text, is_blank

JSON, JSONL = InputFormat.JSON, InputFormat.JSONL
HINT = "give a string or a number, or name another field with --id-field"
TEXTS = st.lists(st.text(st.characters(codec="utf-8")))


def test_an_object_a_line(tmp_path, read):
    file = tmp_path / "a.jsonl"
    file.write_text('{"price": 1.5, "text": "Apple", "tags": ["x"]}\n{"text": "Orange"}\n')
    done = read(file)
    assert done.items == [
        Text("1", "Apple", Place(str(file), 1), {"price": 1.5, "tags": ["x"]}),
        Text("2", "Orange", Place(str(file), 2), {}),
    ]
    assert list(done.items[0].fields) == ["price", "tags"]


def test_a_bare_string_is_a_text(read):
    assert read(stdin=b'"a"\n{"text":"b"}\n"c"', format=JSONL).texts == ["a", "b", "c"]
    assert read(stdin=b'"a"', format=JSONL, fields=("body",)).items == [Text("1", "a", Place("stdin", 1), {})]


def test_nothing_to_compare_is_blank(read):
    lines = b'\n{"text":null}\n{"text":" "}\n""\nnull\n{"text":"a"}\n \t\r\n'
    done = read(stdin=lines, format=JSONL)
    assert (done.ids, done.errors) == (["6"], [])
    assert [place.line for place in done.blanks] == [1, 2, 3, 4, 5, 7]


@pytest.mark.parametrize(
    ("line", "id_", "fields"),
    [
        ('{"id":"x","text":"a"}', "x", {}),
        ('{"id":7,"text":"a"}', "7", {}),
        ('{"id":3.0,"text":"a"}', "3.0", {}),
        ('{"id":1.5,"text":"a"}', "1.5", {}),
        ('{"id":true,"text":"a"}', "true", {}),
        ('{"id":18446744073709551616,"text":"a"}', "18446744073709551616", {}),
        ('{"text":"a","n":18446744073709551616}', "1", {"n": 18446744073709551616}),
    ],
)
def test_the_key_id_counts_where_it_can_be_one(read, line, id_, fields):
    assert read(stdin=line.encode(), format=JSONL).items == [Text(id_, "a", Place("stdin", 1), fields)]


@pytest.mark.parametrize(("value", "kind"), [("null", "null"), ("[1]", "an array"), ("{}", "an object")])
def test_a_key_id_that_is_none_is_not_replaced_by_the_line(read, value, kind):
    done = read(stdin=f'{{"text":"a","id":{value}}}\n{{"id":"y","text":"b"}}\n'.encode(), format=JSONL)
    assert [str(error) for error in done.errors] == [f"stdin:1: id field 'id' is {kind}; {HINT}"]
    assert done.ids == ["y"]


def test_a_record_without_an_id_gets_none_of_another(read):
    lines = ['{"id":"x"}', "{}", '{"id":"4"}', "{}", "{}"]
    content = "".join(line[:-1] + ("," if len(line) > 2 else "") + '"text":"a"}\n' for line in lines)
    assert read(stdin=content.encode(), format=JSONL).ids == ["x", "2", "4", "stdin:4", "5"]


def test_an_id_that_is_the_number_of_a_record_without_one(read):
    content = (
        b'{"text":"a"}\n{"text":"b"}\n{"text":"c","id":2}\n{"text":"d","id":"02"}\n{"text":"e","id":3}\n'
    )
    done = read(stdin=content, format=JSONL)
    assert done.ids == ["1", "2", "02", "3"]
    assert [(error.place, error.message) for error in done.errors] == [
        (
            Place("stdin", 3),
            "the id '2' looks like the line number of a record above that has no id",
        )
    ]


def test_the_key_id_does_not_count_where_it_is_the_text(read):
    assert read(stdin=b'{"id":"a"}', format=JSONL, fields=("id",)).items == [
        Text("1", "a", Place("stdin", 1), {})
    ]


@pytest.mark.parametrize(
    ("value", "id_"),
    [
        ('"x"', "x"),
        ("7", "7"),
        ("1.5", "1.5"),
        ("true", "true"),
        ("123456789012345678901", "123456789012345678901"),
    ],
)
def test_an_id_field_that_is_named(read, value, id_):
    line = f'{{"id":"other","sku":{value},"text":"a"}}'.encode()
    assert read(stdin=line, format=JSONL, id_field="sku").ids == [id_]


def test_a_given_id_stands_alone_among_several_sources(tmp_path, read):
    file = tmp_path / "a.jsonl"
    file.write_text('{"id":"x","text":"a"}\n{"text":"b"}\n')
    assert read(file, "-", stdin=b"c\n").ids == ["x", f"{file}:2", "-:1"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"text":"a"}', "no field 'sku'; there are: 'text'; name one with --id-field"),
        ('"a"', "no field 'sku'; there are: 'text'; name one with --id-field"),
        ('{"text":"a","sku":null}', f"id field 'sku' is null; {HINT}"),
        ('{"text":"a","sku":[1]}', f"id field 'sku' is an array; {HINT}"),
        ('{"text":"a","sku":{}}', f"id field 'sku' is an object; {HINT}"),
        (
            '{"text":"a","sku":1234567890123456.5e5}',
            "id field 'sku' is a number too large to be exact; give a string",
        ),
    ],
)
def test_an_id_that_is_not_one(read, line, message):
    done = read(stdin=f'{line}\n{{"sku":"y","text":"b"}}\n'.encode(), format=JSONL, id_field="sku")
    assert [str(error) for error in done.errors] == [f"stdin:1: {message}"]
    assert done.ids == ["y"]


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ("{}", "no field 'text'; there are: none; name one with --field"),
        ('{"a":"x","b":1}', "no field 'text'; there are: 'a', 'b'; name one with --field"),
        ('{"text":1}', "field 'text' is a number, not a string"),
        ('{"text":1.5}', "field 'text' is a number, not a string"),
        ('{"text":false}', "field 'text' is a boolean, not a string"),
        ('{"text":["x"]}', "field 'text' is an array, not a string"),
        ('{"text":{}}', "field 'text' is an object, not a string"),
        ("3", "the record is a number; give an object with the text in a field"),
        ("[]", "the record is an array; give an object with the text in a field"),
    ],
)
def test_a_record_without_a_text_in_it(read, record, message):
    good = '{"text":"good"}'
    lines = read(stdin=f"{good}\n{record}\n{good}\n".encode(), format=JSONL)
    array = read(stdin=f"[{good},\n\n\n{record},{good}]".encode(), format=JSON)
    for done in (lines, array):
        assert [str(error) for error in done.errors] == [f"stdin:2: {message}"]
        assert done.ids == ["1", "3"]


def test_many_keys_are_not_all_listed(read):
    line = json.dumps({f"k{n}": n for n in range(50)}).encode()
    [error] = read(stdin=line, format=JSONL).errors
    assert error.message.endswith("'k18', 'k19', and 30 more")


@pytest.mark.parametrize(
    ("line", "column", "what"),
    [
        (b'{"text": }', 10, "unexpected character"),
        ('{"é": "ü"} x'.encode(), 12, "unexpected content after document"),
        (b'{"text":', 9, "unexpected end of data"),
        (b'{"text":NaN}', 9, "unexpected character"),
        (b'"\\ud800"', 2, "no low surrogate"),
        (b"plain words", 1, "unexpected character"),
    ],
)
def test_a_line_that_is_not_json(read, line, column, what):
    done = read(stdin=b'"a"\n' + line + b'\n"b"\n', format=JSONL)
    [error] = done.errors
    assert error.place == Place("stdin", 2, column)
    assert error.message.startswith(f"not valid JSON: {what}")
    assert "--input-format json" in error.hint
    assert done.ids == ["1", "3"]


def test_a_bad_byte_in_a_json_line(read):
    done = read(stdin=b'{"text":"a"}\r\n{"text":"\xc3\xa4\xe9"}\n', format=JSONL)
    [error] = done.errors
    assert error.place == Place("stdin", 2, 11)
    assert error.message == "byte 0xe9 is not UTF-8"
    assert done.texts == ["a"]


@pytest.mark.parametrize("text", ["[%s]", '\ufeff{"model": "m", "data": [%s]}'])
def test_a_document_of_records(tmp_path, read, text):
    file = tmp_path / "a.json"
    file.write_text(text % '{"text":"a","n":1},\n\n"b",null,{"id":"x","text":"c"}')
    done = read(file)
    assert done.items == [
        Text("1", "a", Place(str(file), 1), {"n": 1}),
        Text("2", "b", Place(str(file), 2), {}),
        Text("x", "c", Place(str(file), 4), {}),
    ]
    assert done.blanks == [Place(str(file), 3)]


@pytest.mark.parametrize(
    ("data", "place", "message"),
    [
        (b"", Place("stdin", 1, 1), "not valid JSON: "),
        (b'["a",\n "\xc3\xa9" x]', Place("stdin", 2, 6), "not valid JSON: "),
        (b'{"text":"a"}\n{"text":"b"}\n', Place("stdin", 2, 1), "not valid JSON: unexpected content"),
        (b'["a",\n "\xc3\xa4\xff"]', Place("stdin", 2, 4), "byte 0xff is not UTF-8"),
        (b'{"text":"a"}', Place("stdin"), "the document is an object with 'text', without an array \"data\""),
        (b'{"data":{}}', Place("stdin"), "the document is an object with 'data', without an array \"data\""),
        (b'"a"', Place("stdin"), "the document is a string"),
        (b"null", Place("stdin"), "the document is null"),
    ],
)
def test_a_document_that_is_not_one_is_raised_though_somebody_listens(read, data, place, message):
    with pytest.raises(InputError) as caught:
        read(stdin=data, format=JSON)
    assert caught.value.place == place
    assert caught.value.message.startswith(message)
    assert caught.value.hint


def expected_of(texts):
    return [(str(n), text) for n, text in enumerate(texts, 1) if not is_blank(text)]


@settings(deadline=None)
@given(texts=TEXTS, ascii_=st.booleans(), bare=st.booleans())
def test_any_texts_come_back_from_json(read, texts, ascii_, bare):
    records = [text if bare else {"n": n, "text": text} for n, text in enumerate(texts)]
    lines = "".join(json.dumps(record, ensure_ascii=ascii_) + "\n" for record in records)
    from_lines = read(stdin=lines.encode(), format=JSONL)
    from_document = read(stdin=json.dumps(records, ensure_ascii=ascii_).encode(), format=JSON)
    for done in (from_lines, from_document):
        assert [(item.id, item.text) for item in done.items] == expected_of(texts)
        assert len(done.blanks) == len(texts) - len(done.items)
        assert done.errors == []


@settings(deadline=None)
@given(data=st.data(), texts=TEXTS)
def test_a_bad_byte_anywhere_in_json_lines_is_placed(read, data, texts):
    texts = [*texts, "last"]
    at = data.draw(st.integers(0, len(texts) - 1))
    lines = [json.dumps({"text": text}, ensure_ascii=False) for text in texts]
    column = data.draw(st.integers(0, len(lines[at])))
    raw = [line.encode() for line in lines]
    raw[at] = lines[at][:column].encode() + b"\xff" + lines[at][column:].encode()
    done = read(stdin=b"\n".join(raw), format=JSONL)
    assert [error.place for error in done.errors] == [Place("stdin", at + 1, column + 1)]
    assert [(item.id, item.text) for item in done.items] == [
        item for item in expected_of(texts) if item[0] != str(at + 1)
    ]

"""Texts in encodings other than UTF-8, and tables with separators other than commas."""

from __future__ import annotations

import json

import pytest

from simil.errors import InputError, Place, UsageError
from simil.texts import InputFormat, ReadOptions

TEXT, CSV, TSV, JSON, JSONL = (
    InputFormat.TEXT,
    InputFormat.CSV,
    InputFormat.TSV,
    InputFormat.JSON,
    InputFormat.JSONL,
)
WORDS = ["é", "日本", "a, b"]
RECORDS = [{"n": "1", "text": word} for word in WORDS]
CONTENTS = {
    TEXT: "".join(f"{word}\n" for word in WORDS),
    CSV: "n,text\n" + "".join(f'1,"{word}"\n' for word in WORDS),
    TSV: "n\ttext\n" + "".join(f"1\t{word}\n" for word in WORDS),
    JSON: json.dumps(RECORDS, ensure_ascii=False),
    JSONL: "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in RECORDS),
}


@pytest.mark.parametrize("size", [1, 2, 3, 100])
@pytest.mark.parametrize("form", CONTENTS)
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_needs_no_option(read, pieces, *, encoding, form, size):
    data = CONTENTS[form].encode(encoding)
    stream = pieces(data[at : at + size] for at in range(0, len(data), size))
    done = read(stdin=stream, format=form)
    assert done.texts == WORDS
    assert done.errors == []


@pytest.mark.parametrize("form", CONTENTS)
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "shift_jis", "gb18030", "UTF8"])
def test_an_encoding_that_is_named(read, form, encoding):
    data = CONTENTS[form].replace("é", "e").encode(encoding)
    assert read(stdin=data, format=form, encoding=encoding).texts == ["e", *WORDS[1:]]


def test_a_whole_file_and_texts_between_nuls(tmp_path, read):
    file = tmp_path / "a.txt"
    file.write_bytes("é\nb\n".encode("utf-16"))
    assert read(file, whole=True).texts == ["é\nb"]
    assert read(stdin="é\0b\n\0".encode("utf-16"), nul=True).texts == ["é", "b\n"]
    assert read(stdin=b"\xe9\0b", nul=True, encoding="latin1").texts == ["é", "b"]
    file.write_bytes(b"ok\ncaf\x81\n")
    done = read(file, whole=True, encoding="cp1252")
    assert [(error.place, error.message) for error in done.errors] == [
        (Place(str(file), 2, 4), "byte 0x81 is not cp1252")
    ]


@pytest.mark.parametrize(
    ("form", "data", "place"),
    [
        (TEXT, b"\xe9\n\xe9a\x81\nb\n", Place("stdin", 2, 3)),
        (CSV, b'text\n\xe9\n"\xe9\n\x81"\nb\n', Place("stdin", 4, 1)),
        (TSV, b"text\n\xe9\n\xe9\x81\nb\n", Place("stdin", 3, 2)),
        (JSONL, b'"\xe9"\n"\x81"\n"b"\n', Place("stdin", 2, 2)),
    ],
)
def test_a_byte_that_is_not_of_it_spoils_its_record_alone(read, form, data, place):
    done = read(stdin=data, format=form, encoding="cp1252")
    assert [(error.place, error.message) for error in done.errors] == [(place, "byte 0x81 is not cp1252")]
    assert done.texts == ["é", "b"]


def test_half_a_unit_at_the_end_is_told(read):
    done = read(stdin="a\nb".encode("utf-16") + b"c")
    assert done.texts == ["a"]
    assert [str(error) for error in done.errors] == [
        "stdin:2:2: the bytes are not UTF-16; name its encoding with --encoding"
    ]


@pytest.mark.parametrize("form", CONTENTS)
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_is_no_text_with_nuls(read, form, encoding):
    content = CONTENTS[form].replace("é", "eh")
    with pytest.raises(InputError) as caught:
        read(stdin=content.encode(encoding), format=form)
    assert str(caught.value) == (
        f"stdin:1:1: the text seems to be UTF-16 without a byte order mark; say so with --encoding {encoding}"
    )


def test_a_first_letter_is_not_waited_behind(read, pieces):
    assert read(stdin=pieces([b"a", b"\n", b"b"])).texts == ["a", "b"]
    assert read(stdin=b"a\0b\0c", nul=True).texts == ["a", "b", "c"]


@pytest.mark.parametrize("form", [CSV, TSV])
def test_a_separator_that_is_named(read, form):
    assert read(stdin=b"n^text\n1^a\n", format=form, delimiter="^").texts == ["a"]
    assert read(stdin=b"1^a\n", format=form, delimiter="^", header=False, fields=("2",)).texts == ["a"]


@pytest.mark.parametrize("delimiter", ["", ";;", '"', "\n", "\r"])
def test_what_cannot_separate(delimiter):
    with pytest.raises(UsageError, match="--delimiter cannot be"):
        ReadOptions(delimiter=delimiter)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"delimiter": ";", "format": JSONL}, "--delimiter is for csv and tsv, not for jsonl"),
        ({"delimiter": ";", "whole": True}, "--delimiter is for csv and tsv, not for text"),
        ({"encoding": "klingon"}, "there is no encoding 'klingon'"),
    ],
)
def test_options_that_make_no_sense(options, problem):
    with pytest.raises(UsageError, match=problem):
        ReadOptions(**options)


def test_a_separator_where_no_source_is_a_table(read):
    with pytest.raises(UsageError, match="--delimiter is for csv and tsv, and no source is one"):
        read(stdin=b"a\n", delimiter=";")


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-32-be", "cp1252"])
def test_json_is_recognized_in_an_encoding_that_is_named(read, encoding):
    data = '\n{"text":"é"}\n{"text":"b"}\n'.encode(encoding)
    assert read(stdin=data, encoding=encoding).texts == ["é", "b"]
    assert read(stdin='[{"text":"é"},\n "b"]'.encode(encoding), encoding=encoding).texts == ["é", "b"]

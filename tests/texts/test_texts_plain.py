"""Plain text: lines, NUL-separated texts, whole files."""

from __future__ import annotations

import codecs
import io
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.reading import opened

from simil.errors import InputError, Place
from simil.texts import ReadOptions, Text, is_blank, read_texts

# Any characters that UTF-8 can hold, with those that str.splitlines would split at made likely.
CHARACTERS = st.one_of(
    st.characters(codec="utf-8", exclude_characters="\n"),
    st.sampled_from("\x0b\x0c\x1c\x85\u2028\u2029\r é😀"),
)
LINES = st.lists(st.text(CHARACTERS).filter(lambda line: not line.endswith("\r")))


def expected_of(lines):
    return [(str(n), line) for n, line in enumerate(lines, 1) if not is_blank(line)]


def blanks_of(lines):
    return [n for n, line in enumerate(lines, 1) if is_blank(line)]


def without_mark(lines):
    """A text that itself begins with U+FEFF at the file's start is what a byte order mark is."""
    return not lines or not lines[0].startswith("\ufeff")


def test_a_line_is_a_text(tmp_path, read):
    file = tmp_path / "fruit.txt"
    file.write_bytes(b"Apple\nOrange\n")
    assert read(file).items == [
        Text("1", "Apple", Place(str(file), 1), {}),
        Text("2", "Orange", Place(str(file), 2), {}),
    ]


@pytest.mark.parametrize(
    ("data", "texts"),
    [
        (b"", []),
        (b"a", ["a"]),
        (b"a\n", ["a"]),
        (b"a\r\nb\r\n", ["a", "b"]),
        (b"a\r\r\n", ["a\r"]),
        (b"a\rb\n", ["a\rb"]),
        ("a\u2028b\x0bc\x85d\n".encode(), ["a\u2028b\x0bc\x85d"]),
        (codecs.BOM_UTF8 + b"a\nb", ["a", "b"]),
        (codecs.BOM_UTF8, []),
        (b"a\n" + codecs.BOM_UTF8 + b"b\n", ["a", "\ufeffb"]),
        (b"  padded\t\n", ["  padded\t"]),
    ],
)
def test_what_ends_a_line(read, data, texts):
    assert read("-", stdin=data).texts == texts


def test_blank_lines_are_told_and_shift_nothing(read):
    done = read("-", stdin=b"\na\n \t\n\r\n\xe2\x80\x83\nb\n")
    assert [(item.id, item.text) for item in done.items] == [("2", "a"), ("6", "b")]
    assert done.blanks == [Place("stdin", line) for line in (1, 3, 4, 5)]


def test_several_sources_put_the_path_before_the_line(tmp_path, read):
    one, two = tmp_path / "one.txt", tmp_path / "two.txt"
    one.write_text("a\n\nb\n")
    two.write_text("c\n")
    done = read(one, "-", two, stdin=b"s\n")
    assert done.ids == [f"{one}:1", f"{one}:3", "-:1", f"{two}:1"]
    assert [item.origin for item in done.items] == [
        Place(str(one), 1), Place(str(one), 3), Place("stdin", 1), Place(str(two), 1),
    ]  # fmt: skip


def test_no_source_is_stdin(read):
    assert read(stdin=b"a\n").items == [Text("1", "a", Place("stdin", 1), {})]


def test_nul_separates(read):
    done = read(stdin=b"a\nb\r\0\0c\r\n\0", nul=True)
    assert [(item.id, item.text) for item in done.items] == [("1", "a\nb\r"), ("3", "c\r\n")]
    assert done.blanks == [Place("stdin", 2)]


def test_a_bad_byte_between_nuls_is_placed_by_text_and_character(read):
    done = read(stdin=b"a\0b\nc\xff\0d", nul=True)
    assert done.texts == ["a", "d"]
    assert [error.place for error in done.errors] == [Place("stdin", 2, 4)]


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"a\nb\n", "a\nb"),
        (b"a\r\nb\r\n", "a\r\nb"),
        (b"a\n\n", "a\n"),
        (b"a\r", "a\r"),
        (codecs.BOM_UTF8 + b"a", "a"),
    ],
)
def test_a_whole_file_is_one_text(tmp_path, read, data, text):
    file = tmp_path / "letter.csv"
    file.write_bytes(data)
    assert read(file, whole=True).items == [Text(str(file), text, Place(str(file)), {})]


def test_whole_stdin_has_a_dash_for_an_id(read):
    assert read(stdin=b"a\nb", whole=True).items == [Text("-", "a\nb", Place("stdin"), {})]


def test_whole_files_go_on_after_a_bad_one(tmp_path, read):
    names = ["good.txt", "latin.txt", "wide.txt", "blank.txt", "last.txt"]
    contents = [b"good", b"one\ncaf\xe9\n", "wide".encode("utf-16")[:-1], b" \n", b"last"]
    files = [tmp_path / name for name in names]
    for file, content in zip(files, contents, strict=True):
        file.write_bytes(content)
    done = read(*files, whole=True)
    assert done.texts == ["good", "last"]
    assert done.ids == [str(files[0]), str(files[4])]
    assert done.blanks == [Place(str(files[3]))]
    assert [error.place for error in done.errors] == [Place(str(files[1]), 2, 4), Place(str(files[2]), 1, 4)]


def test_a_bad_byte_names_its_place_and_a_way_out(tmp_path, read):
    file = tmp_path / "my café.txt"
    file.write_bytes("Äpfel\nÖl und Caf".encode() + b"\xe9 au lait\nTee\n")
    done = read(file)
    assert done.ids == ["1", "3"]
    [error] = done.errors
    assert error.place == Place(str(file), 2, 11)
    assert error.message == "byte 0xe9 is not UTF-8"
    assert error.hint == "name its encoding, e.g. --encoding cp1252 or --encoding latin1"


def test_a_bad_byte_is_raised_where_nobody_listens():
    blanks = []
    sources = opened(["-"], stdin=io.BytesIO(b"a\n\n\xc3\nb"))
    texts = read_texts(sources, ReadOptions(), on_blank=blanks.append)
    assert next(texts).text == "a"
    with pytest.raises(InputError) as caught:
        next(texts)
    assert caught.value.place == Place("stdin", 3, 1)
    assert "--encoding" in caught.value.hint
    assert blanks == [Place("stdin", 2)]


def test_lines_may_end_with_a_carriage_return_where_none_ends_otherwise(read):
    assert read(stdin=b"a\rb\r\rc\r").texts == ["a", "b", "c"]
    assert read(stdin=b"a\rb\r\rc\r").ids == ["1", "2", "4"]
    assert read(stdin=b"a\rb\nc\n").texts == ["a\rb", "c"]
    assert read(stdin=b"a\rb", nul=True).texts == ["a\rb"]


def test_a_long_line_costs_its_length(read, pieces):
    piece = b"x" * 1024
    assert [len(text) for text in read(stdin=pieces([piece] * 20_000)).texts] == [20_000 * 1024]


@settings(deadline=None)
@given(lines=LINES.filter(without_mark), end=st.sampled_from(["\n", "\r\n"]), mark=st.booleans())
def test_any_lines_come_back_from_a_file(read, lines, end, mark):
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "lines.txt")
        content = "".join(line + end for line in lines).encode()
        file.write_bytes((codecs.BOM_UTF8 if mark else b"") + content)
        done = read(file)
        assert [(item.id, item.text) for item in done.items] == expected_of(lines)
        assert [place.line for place in done.blanks] == blanks_of(lines)
        assert done.errors == []


@settings(deadline=None)
@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"))).filter(without_mark))
def test_any_texts_come_back_between_nuls(read, texts):
    done = read(stdin="".join(text + "\0" for text in texts).encode(), nul=True)
    assert [(item.id, item.text) for item in done.items] == expected_of(texts)
    assert [place.line for place in done.blanks] == blanks_of(texts)


@settings(deadline=None)
@given(data=st.data(), lines=LINES, end=st.sampled_from(["\n", "\r\n"]), mark=st.booleans())
def test_where_the_stream_is_cut_makes_no_difference(read, pieces, *, data, lines, end, mark):
    content = (codecs.BOM_UTF8 if mark else b"") + end.join(lines).encode()
    cuts = sorted(data.draw(st.sets(st.integers(0, len(content)))))
    parts = [content[a:b] for a, b in zip([0, *cuts], [*cuts, len(content)], strict=True)]
    assert read(stdin=pieces(parts)) == read(stdin=content)


@settings(deadline=None)
@given(
    data=st.data(),
    lines=LINES.filter(without_mark),
    bad=st.sampled_from([b"\xff", b"\xc0", b"\x80", b"\xed\xa0\x80"]),
)
def test_a_bad_byte_anywhere_is_placed(read, data, lines, bad):
    lines = [*lines, "last"]
    at = data.draw(st.integers(0, len(lines) - 1))
    column = data.draw(st.integers(0, len(lines[at])))
    raw = [line.encode() for line in lines]
    raw[at] = lines[at][:column].encode() + bad + lines[at][column:].encode()
    done = read(stdin=b"\n".join(raw))
    [error] = done.errors
    assert error.place == Place("stdin", at + 1, column + 1)
    assert error.message == f"byte 0x{bad[0]:02x} is not UTF-8"
    assert [(item.id, item.text) for item in done.items] == [
        item for item in expected_of(lines) if item[0] != str(at + 1)
    ]


@pytest.mark.parametrize(
    ("text", "blank"), [("", True), (" \t\n\u3000", True), ("a", False), ("\u200b", False)]
)
def test_is_blank(text, blank):
    assert is_blank(text) is blank


def test_a_text_can_be_hashed_and_compared():
    one = Text("1", "a", Place("f", 1), {"k": [1]})
    assert {one, Text("1", "a", Place("f", 1), {"k": [1]})} == {one}
    assert one != Text("1", "a", Place("f", 1), {"k": [2]})

"""Bytes in any encoding, as UTF-8."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simil.errors import InputError, Place, UsageError
from simil.formats.encoding import Utf8Chunks, bad_byte, check_encoding, document, head_as_utf8

MARKS = [
    ("utf-8", codecs.BOM_UTF8),
    ("utf-16-le", codecs.BOM_UTF16_LE),
    ("utf-16-be", codecs.BOM_UTF16_BE),
    ("utf-32-le", codecs.BOM_UTF32_LE),
    ("utf-32-be", codecs.BOM_UTF32_BE),
]
marked = pytest.mark.parametrize(("encoding", "mark"), MARKS)
characters = st.characters(exclude_categories=["Cs"])


def pieces(data: bytes, *cuts: int) -> Iterator[bytes]:
    places = [0, *sorted(cuts), len(data)]
    return (data[a:b] for a, b in pairwise(places) if a < b)


@marked
@given(text=st.text(characters), cuts=st.lists(st.integers(0, 40)))
def test_a_mark_tells_the_encoding_wherever_the_stream_is_cut(
    encoding: str, mark: bytes, text: str, cuts: list[int]
) -> None:
    # UTF-16 that begins with a NUL looks as UTF-32 does.
    text = text.lstrip("\0")
    found = Utf8Chunks(pieces(mark + text.encode(encoding), *cuts), "cp1252")
    assert b"".join(found) == text.encode()
    assert found.encoding == encoding


@given(
    text=st.text(characters),
    encoding=st.sampled_from(["utf-8", "utf-16-le", "utf-16-be", "utf-32-be", "gb18030"]),
    cuts=st.lists(st.integers(0, 40)),
)
def test_an_encoding_that_is_named(text: str, encoding: str, cuts: list[int]) -> None:
    text = text.lstrip("\ufeff\0")
    assert b"".join(Utf8Chunks(pieces(text.encode(encoding), *cuts), encoding)) == text.encode()


@pytest.mark.parametrize(
    ("encoding", "text"),
    [("cp1252", "“yes”… it costs € 5"), ("shift_jis", "日本語"), ("koi8_r", "привет"), ("cp500", "a, b")],
)
def test_encodings_of_one_region(encoding: str, text: str) -> None:
    data = text.encode(encoding)
    assert b"".join(Utf8Chunks(pieces(data, *range(1, len(data))), encoding)) == text.encode()
    assert document(data, encoding) == text.encode()


def test_no_more_is_waited_for_than_a_mark_or_a_character_needs() -> None:
    taken = []

    def arriving() -> Iterator[bytes]:
        for chunk in (b"\xff", b"\xfe", b"a\0b", b"\0\n\0", b"c"):
            taken.append(chunk)
            yield chunk

    found = Utf8Chunks(arriving())
    assert [(next(found), len(taken)) for _ in range(2)] == [(b"a", 3), (b"b\n", 4)]


@marked
def test_the_head_of_a_source_is_cut_at_a_character(encoding: str, mark: bytes) -> None:
    head = mark + "aé😀".encode(encoding)
    assert head_as_utf8(head) == "aé😀".encode()
    assert head_as_utf8(head[:-1]) == "aé".encode()
    assert head_as_utf8(b"\xe9a", "latin1") == "éa".encode()
    assert head_as_utf8(b"ab\xe9") == b"ab"


# --- bytes that cannot be decoded ---


def error_in(data: bytes, encoding: str | None) -> InputError:
    found = Utf8Chunks(iter([data]), encoding)
    line = b"".join(found)
    with pytest.raises(UnicodeDecodeError) as caught:
        line.decode()
    return bad_byte(line, caught.value, Place("x", 7), found.encoding)


@pytest.mark.parametrize(
    ("data", "encoding", "column", "message"),
    [
        (b"caf\xe9", None, 4, "byte 0xe9 is not UTF-8"),
        ("é".encode() + b"a\x81", "cp1252", 4, "byte 0x81 is not cp1252"),
        ("aé".encode(), "ascii", 2, "byte 0xc3 is not ascii"),
        ("日".encode("shift_jis") + b"\xff", "sjis", 2, "byte 0xff is not shift_jis"),
        ("éa".encode("utf-16") + b"b", None, 3, "the bytes are not UTF-16"),
        (b"a\0\x0a\xd8b\0", "utf-16-le", 2, "the bytes are not UTF-16"),
        ("éa".encode("utf-32") + b"b\0\0\x11", None, 3, "the bytes are not UTF-32"),
    ],
)
def test_a_byte_that_is_not_of_the_encoding(
    data: bytes, encoding: str | None, column: int, message: str
) -> None:
    error = error_in(data, encoding)
    assert (error.place, error.message) == (Place("x", 7, column), message)


@pytest.mark.parametrize(
    ("text", "encoding", "named"),
    [
        ("He said “yes”… it costs € 5", "cp1252", ["cp1252"]),
        ("café", "latin1", ["cp1252", "latin1"]),
        ("für über", "cp850", ["cp850"]),
        ("привет всем", "cp1251", ["cp1251", "gb18030", "euc_kr"]),
        ("これは日本語です", "shift_jis", ["cp1251", "shift_jis", "gb18030"]),
    ],
)
def test_the_likely_encodings_are_named(text: str, encoding: str, named: list[str]) -> None:
    hint = error_in(text.encode(encoding), None).hint
    words = hint.partition("e.g. --encoding ")[2].split(" or --encoding ")
    assert words == named
    assert "iconv" not in hint


@pytest.mark.parametrize("data", [b"\x80\x04\x95\0\0\0", b"\xe9\0\0", b"\x80\x01 \x02"])
def test_no_encoding_is_named_for_what_is_no_text(data: bytes) -> None:
    assert error_in(data, None).hint == "if it is text, name its --encoding"


def test_cp1252_comes_before_latin1_whatever_the_byte() -> None:
    for byte in range(0x80, 0x100):
        hint = error_in(bytes([byte]), None).hint
        assert ("latin1" in hint) is (byte > 0x9F)
        if "cp1252" in hint and "latin1" in hint:
            assert hint.index("cp1252") < hint.index("latin1")


@pytest.mark.parametrize(
    "name", ["utf8", "UTF-16", "latin-1", "cp1252", "Shift_JIS", "mac-roman", "utf-8-sig"]
)
def test_names_of_encodings(name: str) -> None:
    check_encoding(name)


@pytest.mark.parametrize(
    "name", ["", "nothing", "hex", "rot13", "zlib", "idna", "unicode_escape", "utf-7", "a\0b"]
)
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(UsageError, match="there is no encoding"):
        check_encoding(name)

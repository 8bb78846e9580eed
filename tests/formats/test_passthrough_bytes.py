"""Any file comes out as the same bytes, or with some of its records left out, whatever its spelling."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.reading import opened

from simil.formats.json_spans import list_frame, member_spans, with_member
from simil.formats.passthrough import Frame, Layout, common_frame, joined
from simil.texts import InputFormat, ReadOptions, Text, read_texts

ends = st.sampled_from(["\n", "\r\n"])
marks = st.sampled_from(["", "\ufeff"])
# Any text of a line, and any of a cell, but what is blank, or the end of a line.
characters = st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0\ufeff")
anything = st.text(st.characters(exclude_categories=["Cs"]))
words = st.text(characters, min_size=1).filter(lambda text: not text.isspace())
digits = st.from_regex(r"-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?", fullmatch=True)
spaces = st.text(" \t\r\n", max_size=2)


def through(path: Path, data: bytes, reading: ReadOptions) -> tuple[list[Text], Frame]:
    """Return the texts of a file and what stands around them."""
    path.write_bytes(data)
    frames: list[Frame | None] = []
    reading = replace(reading, all_fields=True, keeps_raw=True)
    sources = opened([path], reading)
    texts = [*read_texts(sources, reading, on_blank=lambda place: None, on_frame=frames.append)]
    frame = common_frame(frames)
    assert frame is not None
    return texts, frame


def written(texts: list[Text], frame: Frame) -> bytes:
    return b"".join(joined(frame, (text.raw for text in texts)))


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("through") / "file"


@st.composite
def lines(draw: st.DrawFn, line: st.SearchStrategy[str]) -> str:
    """Lines with ends of both kinds, which the last may lack."""
    parts = [draw(line) + draw(ends) for _ in range(draw(st.integers(1, 5)))]
    return draw(marks) + "".join(parts) + draw(st.one_of(st.just(""), line))


@st.composite
def tables(draw: st.DrawFn) -> str:
    """A table whose cells are in quotes where they must be and where they need not be."""
    mark = draw(st.sampled_from(",;|\t"))
    width = draw(st.integers(1, 3))
    names = [f"n{number}" for number in range(1, width)]

    def cell(text: str) -> str:
        must = any(character in text for character in '\r\n",;|\t')
        return '"' + text.replace('"', '""') + '"' if must or draw(st.booleans()) else text

    rows = [["text", *names]]
    rows += [[draw(words), *(draw(anything) for _ in names)] for _ in range(draw(st.integers(1, 4)))]
    parts = [mark.join(map(cell, row)) + draw(ends) for row in rows]
    body = "".join(parts)
    return draw(marks) + (body.rstrip("\r\n") if draw(st.booleans()) and not body.endswith('"\n') else body)


@st.composite
def values(draw: st.DrawFn, depth: int = 2) -> str:
    """A JSON value as somebody might have spelled it."""
    kind = draw(st.integers(0, 5 if depth else 3))
    if kind == 0:
        return draw(digits)
    if kind == 1:
        return draw(st.sampled_from(["true", "false", "null"]))
    if kind < 4:
        return json.dumps(draw(anything), ensure_ascii=draw(st.booleans()))
    inner = [draw(values(depth - 1)) for _ in range(draw(st.integers(0, 3)))]
    gap = draw(st.sampled_from(["", " ", "\t"]))
    if kind == 4:
        return f"[{gap}{f'{gap},'.join(inner)}]"
    return f"{{{gap}{f',{gap}'.join(f'{json.dumps(draw(words))}{gap}:{value}' for value in inner)}{gap}}}"


@st.composite
def objects(draw: st.DrawFn) -> str:
    """A record whose members have any order, and some of them one name."""
    members = [f'"{name}": {draw(values())}' for name in draw(st.lists(st.sampled_from("abcc"), max_size=3))]
    text = f'"text":{json.dumps(draw(words), ensure_ascii=draw(st.booleans()))}'
    place = draw(st.integers(0, len(members)))
    gap = draw(st.sampled_from(["", " "]))
    return f"{gap}{{{f',{gap}'.join([*members[:place], text, *members[place:]])}{gap}}}{gap}"


@given(lines(words))
def test_lines_of_text(path: Path, text: str) -> None:
    assert written(*through(path, text.encode(), ReadOptions(InputFormat.TEXT))) == text.encode()


@given(st.lists(words, min_size=1), st.sampled_from(["", "\0"]))
def test_texts_between_nuls(path: Path, texts: list[str], end: str) -> None:
    data = ("\0".join(texts) + end).encode()
    assert written(*through(path, data, ReadOptions(nul=True))) == data


@given(tables())
def test_tables(path: Path, text: str) -> None:
    assert written(*through(path, text.encode(), ReadOptions(InputFormat.CSV))) == text.encode()


@given(lines(words.map(lambda text: text.replace("\t", " ") + "\tx")))
def test_rows_of_tsv(path: Path, text: str) -> None:
    data = ("text\tn\r\n" + text.removeprefix("\ufeff")).encode()
    assert written(*through(path, data, ReadOptions(InputFormat.TSV))) == data


@given(lines(objects()))
def test_lines_of_json(path: Path, text: str) -> None:
    assert written(*through(path, text.encode(), ReadOptions(InputFormat.JSONL))) == text.encode()


@given(st.data())
def test_documents(path: Path, data: st.DataObject) -> None:
    draw = data.draw
    items = [draw(spaces) + draw(objects()) + draw(spaces) for _ in range(draw(st.integers(0, 4)))]
    document = f"{draw(spaces)}[{','.join(items)}{'' if items else draw(spaces)}]{draw(spaces)}"
    if draw(st.booleans()):
        document = f'{{"data": 1, "a": {draw(values())}, "d\\u0061ta":{document} , "b":{draw(values())}}}\n'
    found, frame = through(path, document.encode(), ReadOptions(InputFormat.JSON))
    assert written(found, frame) == document.encode()
    kept = [text for text in found if draw(st.booleans())]
    again, _ = through(path, written(kept, frame), ReadOptions(InputFormat.JSON))
    assert [(text.text, text.fields) for text in again] == [(text.text, text.fields) for text in kept]


@given(objects(), st.integers(0, 99))
def test_a_member_is_replaced_where_it_stands(item: str, number: int) -> None:
    found = with_member(item.encode(), "c", str(number).encode())
    value, given_ = json.loads(found), json.loads(item)
    assert value == given_ | ({"c": number} if "c" in given_ else {})


def test_spans_are_those_of_the_last_of_equal_members() -> None:
    data = b' {"a":[1,{"}":"]"}] , "a" : "x\\"y" }'
    start, end = member_spans(data)["a"]
    assert data[start:end] == b'"x\\"y"'


def test_an_empty_list_has_a_frame() -> None:
    assert list_frame(b"[ ]\n", 0) == (Frame(Layout.LIST, b"[", b" ]\n", (b"[", b"]")), [])

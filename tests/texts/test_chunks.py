"""Cutting long texts: nothing is lost, and every part says where it begins."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simil.embedders.local.token_spans import token_spans
from simil.errors import Place, UsageError
from simil.texts import Text
from simil.texts.chunks import Chunking, by_spans, chunking_named, in_chunks, paragraphs

prose = st.text(alphabet="ab é\n\t 日", max_size=120)


def whole(text: str) -> Text:
    return Text("f.txt", text, Place("f.txt"), {})


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("lines", Chunking("lines")),
        ("paragraphs", Chunking("paragraphs")),
        ("tokens:256/32", Chunking("tokens", 256, 32)),
        ("tokens:8", Chunking("tokens", 8)),
    ],
)
def test_names(name: str, expected: Chunking) -> None:
    assert chunking_named(name) == expected


@pytest.mark.parametrize(
    "name", ["", "words", "tokens", "tokens:", "tokens:8/8", "tokens:0", "tokens:8/", "tokens:-1"]
)
def test_names_that_mean_nothing(name: str) -> None:
    with pytest.raises(UsageError, match="--chunk"):
        chunking_named(name)


@given(text=prose)
def test_paragraphs_hold_everything_but_the_gaps(text: str) -> None:
    parts = [*in_chunks([whole(text)], by_spans(paragraphs), several=False)]
    assert " ".join(" ".join(part.text for part in parts).split()) == " ".join(text.split())
    lines = text.split("\n")
    for part in parts:
        assert part.id == str(part.origin.line)
        assert part.text.split("\n")[0].strip() in lines[(part.origin.line or 0) - 1]
        assert "\n\n" not in part.text


def test_lines_and_ids() -> None:
    text = "one\ntwo\n\n\n  three\n \t\nfour"
    parts = [*in_chunks([whole(text)], by_spans(paragraphs), several=True)]
    assert [(part.id, part.text) for part in parts] == [
        ("f.txt:1", "one\ntwo"),
        ("f.txt:5", "three"),
        ("f.txt:7", "four"),
    ]


def test_parts_of_a_record_keep_its_place() -> None:
    record = Text("7", "one\n\ntwo", Place("t.csv", 3), {"n": "1"})
    parts = [*in_chunks([record], by_spans(paragraphs), several=False)]
    assert [(part.id, part.text, part.origin.line, part.fields) for part in parts] == [
        ("7#1", "one", 3, {"n": "1"}),
        ("7#2", "two", 3, {"n": "1"}),
    ]


# Each reads the tokenizer's file, which takes longer than a hundred texts.
spans_by = cache(token_spans)


@given(text=st.text(max_size=200), windows=st.sampled_from([(1, 0), (2, 1), (3, 0), (7, 6), (20, 4)]))
def test_windows_cover_the_text(text: str, windows: tuple[int, int]) -> None:
    spans = [*spans_by(None, *windows)(text)]
    covered = set()
    for start, end in spans:
        covered |= set(range(start, end))
    # What no token stands for is dropped by the tokenizer: white space and control characters.
    assert all(
        not text[place].isprintable() or text[place].isspace() for place in set(range(len(text))) - covered
    )
    assert spans == sorted(spans)


def test_windows_hold_whole_words_and_share_some() -> None:
    text = "The quick brown fox jumps over the lazy dog, uncharacteristically."
    spans = [*token_spans(None, 5, 2)(text)]
    assert [text[start:end] for start, end in spans] == [
        "The quick brown fox jumps",
        "fox jumps over the lazy",
        "the lazy dog,",
        "uncharacteristic",
        "teristically.",
    ]

"""About how many texts there are: the lines of plain files, and nothing that would be a guess."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.reading import named, opened

from simil.texts import InputFormat, ReadOptions, read_texts
from simil.texts.chunks import by_spans, in_chunks, paragraphs
from simil.texts.counting import count_paragraphs, count_roughly


@pytest.mark.parametrize(
    ("data", "options", "expected"),
    [
        (b"", ReadOptions(), 0),
        (b"one", ReadOptions(), 1),
        (b"one\n", ReadOptions(), 1),
        (b"one\n\ntwo", ReadOptions(), 3),
        (b"one\ntwo\0three", ReadOptions(nul=True), 2),
        (b"one\ntwo\n", ReadOptions(whole=True), 1),
        (b'[{"text": "one"}]', ReadOptions(InputFormat.JSON), None),
        (b'{"text": "one"}\n{"text": "two"}\n', ReadOptions(InputFormat.JSONL), 2),
    ],
)
def test_one_file(data: bytes, options: ReadOptions, expected: int | None, tmp_path: Path) -> None:
    path = tmp_path / "texts"
    path.write_bytes(data)
    assert count_roughly([named(path, options)], options) == expected


def test_it_is_what_is_read_where_no_line_is_blank(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a.txt", "b.txt")]
    for path in paths:
        path.write_text("".join(f"text {number}\n" for number in range(300_000)), "utf-8")
    sources = opened(paths)
    read = read_texts(sources, ReadOptions(), on_blank=lambda _: None)
    assert count_roughly(sources, ReadOptions()) == sum(1 for _ in read) == 600_000


def test_of_what_is_no_plain_file_nothing_is_known(tmp_path: Path) -> None:
    plain, pipe = tmp_path / "a.txt", tmp_path / "pipe"
    plain.write_text("one\n")
    os.mkfifo(pipe)
    for source in ("-", str(pipe), str(tmp_path), str(tmp_path / "none")):
        assert count_roughly([named(plain), named(source)], ReadOptions()) is None


def test_paragraphs_are_those_that_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\n\ntwo\n  \n\t\nthree, and\nmore of it\n")
    (tmp_path / "b.txt").write_text("one paragraph")
    whole = ReadOptions(whole=True)
    sources = opened([tmp_path / "a.txt", tmp_path / "b.txt"], whole)
    read = in_chunks(read_texts(sources, whole, on_blank=lambda _: None), by_spans(paragraphs), several=True)
    assert count_paragraphs(sources) == sum(1 for _ in read) == 4
    (tmp_path / "c.csv").write_text("text\none\n")
    assert count_paragraphs([named(tmp_path / "c.csv", ReadOptions())]) is None

"""Vectors are recognized by their first bytes, and no text is ever taken for them."""

from __future__ import annotations

import io
import json
import os
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simil.vectors import HEAD_BYTES, VectorBatch, VectorFormat, looks_like_vectors, open_writer, peek

READ_AS = {VectorFormat.BASE64: VectorFormat.JSON}
ROW = [0.25, -1.5, 3e-7] * 200
EMBEDDING = {"object": "embedding", "index": 0, "embedding": ROW}


def written(form: VectorFormat, text: str = "a", dimensions: int = 384) -> bytes:
    stream = io.BytesIO()
    with open_writer(form, stream, model="m") as writer:
        vectors = np.linspace(-1, 1, 2 * dimensions, dtype=np.float32).reshape(2, dimensions)
        writer.write(VectorBatch(["1", "2"], [text, text], [{"label": "x"}] * 2, vectors))
    return stream.getvalue()


@pytest.mark.parametrize("form", VectorFormat)
@pytest.mark.parametrize("text", ["a", '{"text": [1, "é\n\\', "x" * 5000])
def test_what_writers_write(form: VectorFormat, text: str) -> None:
    expected = READ_AS.get(form, form)
    for size in (10_000, HEAD_BYTES):
        head = written(form, text)[:size]
        assert looks_like_vectors(head, "-") is expected
        assert looks_like_vectors(head, f"x.{expected}") is expected
        assert looks_like_vectors(head, f"X.{expected.upper()}") is expected


@pytest.mark.parametrize("form", VectorFormat)
def test_a_single_dimension(form: VectorFormat) -> None:
    assert looks_like_vectors(written(form, dimensions=1), "-") is READ_AS.get(form, form)


@pytest.mark.parametrize("form", VectorFormat)
def test_the_head_may_end_anywhere(form: VectorFormat) -> None:
    data = written(form)
    ends = range(90, 3000)
    # In each form the first 90 bytes hold what tells it.
    assert {looks_like_vectors(data[:end], "-") for end in ends} == {READ_AS.get(form, form)}


BASE64 = "A" * 5000
DOCUMENTS: list[Any] = [
    {"object": "list", "data": [EMBEDDING], "model": "m", "usage": {}},
    {"data": [{"embedding": ROW, "index": 0, "object": "embedding"}], "model": "m"},
    {"data": [{"embedding": BASE64, "index": 0, "object": "embedding"}], "model": "m"},
    {"id": "e-1", "object": "list", "created": 1, "model": "m", "data": [EMBEDDING]},
    {"object": "list", "data": [], "model": "m"},
    {"object": "list", "model": "m", "data": []},
    [ROW, ROW],
    [[1]],
    [[1], [2]],
    [{"id": "1", "text": "a", "embedding": ROW}, {}],
]


@pytest.mark.parametrize("document", DOCUMENTS)
@pytest.mark.parametrize("indent", [None, 0, 2])
@pytest.mark.parametrize("size", [200, 3000, HEAD_BYTES])
def test_documents_of_others(document: Any, indent: int | None, size: int) -> None:
    head = json.dumps(document, indent=indent).encode()[:size]
    assert looks_like_vectors(head, "-") is VectorFormat.JSON
    assert looks_like_vectors(b"\xef\xbb\xbf" + head, "x.json") is VectorFormat.JSON


@pytest.mark.parametrize(
    ("head", "form"),
    [
        ('{"embedding": [1', VectorFormat.JSONL),
        ('{"text": "a", "meta": {"embedding": "x"}, "embedding": [-1.5]}\n{"text"', VectorFormat.JSONL),
        ("id,d0,d1\n", VectorFormat.CSV),
        ('model,"a\nb",d0\r\n', VectorFormat.CSV),
        ("id,d0,d1,d", VectorFormat.CSV),
        ("id,d0,d1,d2", VectorFormat.CSV),
        ("id\td0\td1\r\n1", VectorFormat.TSV),
    ],
)
def test_lines_and_tables_of_others(head: str, form: VectorFormat) -> None:
    assert looks_like_vectors(head.encode(), "-") is form
    assert looks_like_vectors(head.encode(), f"x.{form}") is form


TEXTS = [
    "",
    "\n",
    "hello\nworld\n",
    "[1] a footnote",
    "[[1]] see below",
    "[[1, 2], see below",
    "[[link]] in a wiki",
    "[[]]",
    "[1, 2, 3]",
    "{",
    "{}",
    "{not json}",
    "]",
    "}{",
    '"object":"list"',
    '{"object":"list"}',
    '{"object":"list","data":"none"}',
    '{"object":"list","data":[{"id":"gpt","object":"model"}]}',
    '{"object":"list","data":[{"id":"gpt","object":"model"},{"embedding":[1]}]}',
    '{"object":"text","data":[]}',
    '{"data":[]}',
    '{"data":[{"text":"a"}]}',
    '{"data":[{"text":"a","embedding":"short"}]}',
    '{"text":"embedding"}\n{"embedding":[1]}\n',
    '{"text":"a","embedding":"word2vec"}',
    '{"text":"a","embedding":["word2vec"]}',
    '{"text":"a","embedding":null}',
    '{"text":"a","embedding":[]}',
    '{"text":"{\\"embedding\\":[1]}"}',
    '{"meta":{"embedding":[1]},"text":"a"}',
    '[{"text":"a"},{"embedding":[1]}]',
    '["a","b"]',
    '{"id":"1","text":"a","model":"m"}',
    "id,text,model\n1,a,m\n",
    "id,text,d0 of them\n",
    "id,d0,other\n",
    "id,d0,d2\n",
    "id,d1,d2\n",
    "d0,d1\n",
    "id,d0,d\n",
    "id\ttext\td1\n",
    "id\td0\tother\n",
    "x" * 200_000,
    "\x00\xff",
]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("source", ["-", "x.json", "x.jsonl", "x.csv", "x.tsv", "x.txt"])
def test_texts_are_not_vectors(text: str, source: str) -> None:
    assert looks_like_vectors(text.encode(), source) is None


@pytest.mark.parametrize("form", VectorFormat)
@pytest.mark.parametrize("source", ["x.txt", "x", "x.md", "x.json.txt"])
def test_other_names_are_texts_whatever_they_hold(form: VectorFormat, source: str) -> None:
    assert looks_like_vectors(written(form), source) is None


@pytest.mark.parametrize("form", [form for form in VectorFormat if form is not VectorFormat.NPY])
@pytest.mark.parametrize("suffix", ["json", "jsonl", "csv", "tsv"])
def test_a_name_and_bytes_that_disagree(form: VectorFormat, suffix: str) -> None:
    expected = READ_AS.get(form, form)
    found = looks_like_vectors(written(form), f"x.{suffix}")
    assert found is (expected if suffix == expected else None)


def test_npy_goes_by_its_name() -> None:
    assert looks_like_vectors(b"", "x.npy") is VectorFormat.NPY
    assert looks_like_vectors(b"\x93NUMPY", "x.csv") is None


@given(st.binary(max_size=300))
def test_any_bytes_get_an_answer(head: bytes) -> None:
    for source in ("-", "x.json", "x.csv"):
        assert looks_like_vectors(head, source) in (None, *VectorFormat)


@given(st.text(alphabet='[]{}",:\\1a \n', max_size=60))
def test_nearly_json_gets_an_answer(text: str) -> None:
    for start in ("", '{"object":"list",', '{"data":[', '{"embedding":', "[["):
        assert looks_like_vectors((start + text).encode(), "-") in (None, *VectorFormat)


# --- peek ---


@pytest.mark.parametrize("size", [0, 1, 10, 100_000])
@pytest.mark.parametrize("length", [0, 5, 60_000])
def test_peeking_at_a_pipe_loses_nothing(size: int, length: int) -> None:
    data = bytes(range(250)) * (length // 250 + 1)
    data = data[:length]
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as stream:
        stream.write(data)
    with os.fdopen(reading, "rb") as stream:
        head, whole = peek(stream, size)
        assert head == data[:size]
        with whole:
            assert whole.read(3) + whole.read() == data


def test_peeking_at_a_file_puts_it_back() -> None:
    stream = io.BytesIO(b"before and after")
    stream.seek(7)
    head, whole = peek(stream, 3)
    assert (head, whole.read()) == (b"and", b"and after")
    assert whole is stream

"""Files of vectors are recognized by what they hold, and no text is ever taken for them."""

from __future__ import annotations

import io
import json
import os
import threading
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from simil.errors import InputError
from simil.formats.binary_marks import SQLITE_MAGIC
from simil.formats.detection import typed
from simil.formats.record_stream import FormatOptions
from simil.formats.sources import Source
from simil.vectors import VectorBatch, VectorFormat
from simil.vectors.sniff import as_vectors
from simil.vectors.vector_files import open_writer
from simil.vectors.vector_formats import STREAMED

# What holds vectors, and simil reads but does not write. The first bytes alone tell some of them.
READ_ONLY = ("npz", "safetensors", "sqlite")
READ_AS = {VectorFormat.BASE64: VectorFormat.JSON}
ROW = [0.25, -1.5, 3e-7] * 200
EMBEDDING = {"object": "embedding", "index": 0, "embedding": ROW}
LONG = "a long text, " * 100_000


def written(form: VectorFormat, text: str = "a", dimensions: int = 384) -> bytes:
    stream = io.BytesIO()
    with open_writer(form, stream, model="m") as writer:
        vectors = np.linspace(-1, 1, 2 * dimensions, dtype=np.float32).reshape(2, dimensions)
        writer.write(VectorBatch(["1", "2"], [text, text], [{"label": "x"}] * 2, vectors))
    return stream.getvalue()


def found_in(data: bytes | str, name: str, folder: Path) -> str | None:
    """Return the format of the vectors in a file of this name, in a pipe if it is "-", or None."""
    content = data.encode() if isinstance(data, str) else data
    if name == "-":
        return found_in_pipe(content)
    path = folder / name
    path.write_bytes(content)
    try:
        found = as_vectors(typed(Source(str(path))))
    except InputError:
        return None
    return found.format.name if found else None


def found_in_pipe(data: bytes, options: FormatOptions | None = None) -> str | None:
    """Send `data` in two parts; it must come out again whole after the look."""
    reading, writing = os.pipe()

    def send(stream: BinaryIO) -> None:
        with stream:
            stream.write(data[:50])
            stream.write(data[50:])

    thread = threading.Thread(target=send, args=(os.fdopen(writing, "wb", buffering=0),))
    thread.start()
    with os.fdopen(reading, "rb", buffering=0) as stream:
        source = Source("-", stream)
        try:
            found = as_vectors(typed(source), options or FormatOptions())
        except InputError:
            found = None
        assert b"".join(source.chunks()) == data
    thread.join()
    return found.format.name if found else None


@pytest.mark.parametrize("form", STREAMED)
@pytest.mark.parametrize("text", ["a", '{"text": [1, "é\n\\', "x" * 70_000, LONG])
@pytest.mark.parametrize("named", [True, False])
def test_what_writers_write(tmp_path: Path, form: VectorFormat, text: str, named: bool) -> None:
    expected = READ_AS.get(form, form)
    assert found_in(written(form, text), f"X.{expected.upper()}" if named else "-", tmp_path) == expected


@pytest.mark.parametrize("form", STREAMED)
def test_a_single_dimension(tmp_path: Path, form: VectorFormat) -> None:
    assert found_in(written(form, dimensions=1), "-", tmp_path) == READ_AS.get(form, form)


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
def test_documents_of_others(tmp_path: Path, document: Any, indent: int | None) -> None:
    data = json.dumps(document, indent=indent).encode()
    assert found_in(data, "-", tmp_path) == VectorFormat.JSON
    assert found_in(b"\xef\xbb\xbf" + data, "x.json", tmp_path) == VectorFormat.JSON


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig"])
@pytest.mark.parametrize("form", ["json", "jsonl", "csv", "tsv"])
def test_other_encodings(tmp_path: Path, form: str, encoding: str) -> None:
    data = written(VectorFormat(form)).decode().encode(encoding)
    assert found_in(data, f"x.{form}", tmp_path) == form


@pytest.mark.parametrize(
    ("data", "form"),
    [
        ('{"embedding":\n [1, 2]}', VectorFormat.JSON),
        ('{"text": "a", "meta": {"embedding": "x"}, "embedding": [-1.5]}\n{"text"', VectorFormat.JSONL),
        ('{"text": "a", "embedding": null}\n\n{"text": "b", "embedding": [-1.5]}\n', VectorFormat.JSONL),
        ('{"text": "a", "embedding": "[0.5, 1]"}\n{"text": "b"}\n', VectorFormat.JSONL),
        (f'{{"text": "{LONG}", "embedding": [1, 2]}}\n{{"text"', VectorFormat.JSONL),
        (f'[{{"text": "{LONG}", "embedding": [1, 2]}}]', VectorFormat.JSON),
        (f'{{"texts":\n ["{LONG}"], "embeddings": [[1, 2]]}}', VectorFormat.JSON),
        ("[0.5, 1]\n[1, 0.25]\n", VectorFormat.JSONL),
        ("id,d0,d1\n", VectorFormat.CSV),
        ("id,d0,d1", VectorFormat.CSV),
        ('model,"a\nb",d0\r\n', VectorFormat.CSV),
        ('id,text,embedding\n1,a,"[0.5, 1]"\n', VectorFormat.CSV),
        ('text,vector\na,\n"b\nc","[0.5 1.]"\n', VectorFormat.CSV),
        (f'text,vector\n"{LONG}","{{0.5,1.}}"\n', VectorFormat.CSV),
        ("id\td0\td1\r\n1", VectorFormat.TSV),
        ("id\tvector\n1\t[1,2]", VectorFormat.TSV),
    ],
)
def test_lines_and_tables_of_others(tmp_path: Path, data: str, form: VectorFormat) -> None:
    assert found_in(data, "-", tmp_path) == form
    assert found_in(data, f"x.{form}", tmp_path) == form


def test_a_table_in_another_encoding_with_another_separator() -> None:
    data = "id#té#vector\n1#é#[1,2]\n".encode("cp1252")
    assert found_in_pipe(b"id\tt\xe9\tvector\n1\t\xe9\t[1,2]\n", FormatOptions(encoding="cp1252")) == "tsv"
    source = Source("-", io.BytesIO(data))
    csv = typed(source, "csv")
    assert as_vectors(csv, FormatOptions(delimiter="#", encoding="cp1252")) is not None


def test_a_table_with_semicolons(tmp_path: Path) -> None:
    assert found_in("id;d0;d1\r\n1;2;3\r\n", "x.csv", tmp_path) == "csv"


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
    '{"text":"a","values":[1,2]}',
    '{"text":"a","embedding":{"model":"m","size":3}}',
    '{"text":"a","embedding":null}\n{"text":"b","embedding":null}\n',
    '{"custom_id":"a","response":"b","text":"c"}',
    '{"custom_id":"a","response":{"body":{}},"text":"c"}',
    '{"custom_id":"a","response":{"answer":"b"}}',
    '{"key":"a","response":{"answer":"b"}}',
    '[{"index":1,"value":2,"text":"a"}]',
    "id,embedding\n1,word2vec\n",
    "id,embedding\n1,[see below]\n",
    "id,embedding\n1,\n",
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
@pytest.mark.parametrize("name", ["-", "x.json", "x.jsonl", "x.csv", "x.tsv", "x.txt"])
def test_texts_are_not_vectors(tmp_path: Path, text: str, name: str) -> None:
    assert found_in(text, name, tmp_path) is None


@pytest.mark.parametrize("form", [VectorFormat.CSV, VectorFormat.TSV])
@pytest.mark.parametrize("name", ["x.txt", "x.json.txt"])
def test_tables_called_text_are_texts(tmp_path: Path, form: VectorFormat, name: str) -> None:
    assert found_in(written(form), name, tmp_path) is None


@pytest.mark.parametrize(
    "form", [VectorFormat.JSON, VectorFormat.JSONL, VectorFormat.BASE64, VectorFormat.NPY]
)
@pytest.mark.parametrize("name", ["x.txt", "x", "x.md", "x.csv"])
def test_json_and_arrays_are_what_they_are_whatever_they_are_called(
    tmp_path: Path, form: VectorFormat, name: str
) -> None:
    assert found_in(written(form), name, tmp_path) == READ_AS.get(form, form)


@pytest.mark.parametrize("text", ["[[NaN,1],[1,0]]", "[NaN, 1]", "[[-Infinity, 1]]", '["\\ud800", "b"]'])
def test_what_only_python_takes_for_json_is_no_prose(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.txt").write_text(text)
    assert typed(Source(str(tmp_path / "x.txt"))).format.name == "json"


@pytest.mark.parametrize("text", ['{"text":"a","embedding":["1","-0.5"]}', '[["1.0e-3","2"],["3","4"]]'])
def test_numbers_as_strings_are_not_ignored(tmp_path: Path, text: str) -> None:
    assert found_in(text, "x.txt", tmp_path) is not None


@given(st.binary(max_size=300))
@example(SQLITE_MAGIC)
def test_any_bytes_get_an_answer(data: bytes) -> None:
    assert found_in_pipe(data) in (None, *VectorFormat, *READ_ONLY)


@given(st.text(alphabet='[]{}",:\\1a \n', max_size=60))
def test_nearly_json_gets_an_answer(text: str) -> None:
    for start in ("", '{"object":"list",', '{"data":[', '{"embedding":', "[["):
        assert found_in_pipe((start + text).encode()) in (None, *VectorFormat)

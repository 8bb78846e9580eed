"""JSON that other tools write: each shape is read as the vectors that it holds, or refused by name."""

from __future__ import annotations

import base64
import contextlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from openai.types import CreateEmbeddingResponse
from support.reading import vectors_in

from simil.errors import InputError
from simil.formats.detection import typed
from simil.formats.record_stream import FormatOptions
from simil.formats.sources import Source
from simil.vectors import VectorFile
from simil.vectors.raw_rows import as_they_came
from simil.vectors.sniff import as_vectors
from simil.vectors.vector_files import read_vectors

ROWS = [[0.5, 1.0, 0.0, 8.0], [0.25, -2.0, 0.0, 4.0]]
NONE = (None, None)
NO_POOLING = "item 1 has 2 vectors, one for each token, not one for the text"
NO_LIST = "item 2 has an embedding that is not a list of numbers"
LONG = str(10**30)
TYPES = {"int8": [[1, 2]], "ubinary": [[3, 4]]}


def b64(*values: float) -> str:
    return base64.b64encode(np.array(values, "<f4").tobytes()).decode()


def read(value: Any, folder: Path, *, lines: bool = False) -> VectorFile:
    """Write values as a file without a suffix, which is recognized, and read it."""
    path = folder / "x"
    path.write_text("".join(json.dumps(line) + "\n" for line in value) if lines else json.dumps(value))
    return vectors_in(path)


def fault(value: Any, folder: Path, *, lines: bool = False) -> InputError:
    with pytest.raises(InputError) as caught:
        read(value, folder, lines=lines)
    return caught.value


def openai(*rows: Any, **more: Any) -> dict[str, Any]:
    data = [{"object": "embedding", "index": place, "embedding": row} for place, row in enumerate(rows)]
    usage = {"prompt_tokens": 2, "total_tokens": 2}
    return {"object": "list", "data": data, "model": "m", "usage": usage, **more}


def records(key: str, **more: Any) -> list[dict[str, Any]]:
    return [{"id": name, key: row, **more} for name, row in zip("ab", ROWS, strict=True)]


COUNTED = ("1", "2")
# What was written, and its ids, texts and model.
SHAPES: dict[str, tuple[Any, tuple[Any, ...], tuple[Any, ...], str | None]] = {
    "openai": (openai(*ROWS), COUNTED, NONE, "m"),
    "openai in base64": (openai(*(b64(*row) for row in ROWS)), COUNTED, NONE, "m"),
    "voyage": (openai(*ROWS, model="voyage-3"), COUNTED, NONE, "voyage-3"),
    "jina": ({"model": "j", "object": "list", "data": openai(*ROWS)["data"]}, COUNTED, NONE, "j"),
    "ollama": ({"model": "m", "embeddings": ROWS, "total_duration": 1}, COUNTED, NONE, "m"),
    "cohere 1": (
        {"id": "x", "texts": ["A", "B"], "embeddings": ROWS, "response_type": "embeddings_floats"},
        COUNTED,
        ("A", "B"),
        None,
    ),
    "cohere 2": (
        {"id": "x", "embeddings": {"float": ROWS, "int8": None}, "texts": ["A", "B"], "meta": {}},
        COUNTED,
        ("A", "B"),
        None,
    ),
    "cohere 2 in base64": (
        {"id": "x", "embeddings": {"base64": [b64(*row) for row in ROWS]}, "texts": []},
        COUNTED,
        NONE,
        None,
    ),
    "chroma": (
        {"ids": ["a", "b"], "embeddings": ROWS, "documents": ["A", None], "metadatas": [{"n": 1}, {"n": 2}]},
        ("a", "b"),
        ("A", None),
        None,
    ),
    "gemini": ({"embeddings": [{"values": row} for row in ROWS]}, COUNTED, NONE, None),
    "vertex": (
        {"predictions": [{"embeddings": {"values": row, "statistics": {"token_count": 1}}} for row in ROWS]},
        COUNTED,
        NONE,
        None,
    ),
    "tei": (ROWS, COUNTED, NONE, None),
    "llama.cpp": (
        [{"index": n, "embedding": [row]} for n, row in enumerate(ROWS)],
        COUNTED,
        NONE,
        None,
    ),
    "records": (records("embedding", text="t", model="m"), ("a", "b"), ("t", "t"), "m"),
    "pgvector": (
        [{"id": n, "embedding": str(row)} for n, row in enumerate(ROWS, 1)],
        COUNTED,
        NONE,
        None,
    ),
    "qdrant": (
        {"result": {"points": records("vector", payload={})}, "status": "ok"},
        ("a", "b"),
        NONE,
        None,
    ),
    "qdrant points": ({"points": records("vector")}, ("a", "b"), NONE, None),
    "pinecone": (
        {"vectors": {each["id"]: each for each in records("values")}},
        ("a", "b"),
        NONE,
        None,
    ),
    "pinecone matches": ({"matches": records("values", score=1)}, ("a", "b"), NONE, None),
    "weaviate": (records("vector", text="t"), ("a", "b"), ("t", "t"), None),
}


@pytest.mark.parametrize("name", SHAPES)
def test_answers_of_apis(tmp_path: Path, name: str) -> None:
    value, ids, texts, model = SHAPES[name]
    for given, lines in ((value, False), ([value], True)):
        file = read(given, tmp_path, lines=lines)
        np.testing.assert_array_equal(file.vectors, np.array(ROWS, np.float32))
        assert (file.ids, file.texts, file.model) == (ids, texts, model)


@pytest.mark.parametrize(
    "value",
    [
        {"embedding": ROWS[0]},
        {"embedding": {"values": ROWS[0]}},
        {"embedding": [ROWS[0]]},
        {"id": "a", "embedding": {"default": ROWS[0]}},
        ROWS[0],
        [[ROWS[0]]],
    ],
)
def test_a_single_embedding(tmp_path: Path, value: Any) -> None:
    assert read(value, tmp_path).vectors.tolist() == [ROWS[0]]


def test_fields_of_records_pass_through(tmp_path: Path) -> None:
    file = read(records("vector", payload={"n": 2**70}, object="row", index=7), tmp_path)
    assert file.fields == ({"payload": {"n": 2**70}, "object": "row", "index": 7},) * 2
    assert read(SHAPES["chroma"][0], tmp_path).fields == ({"metadata": {"n": 1}}, {"metadata": {"n": 2}})


def test_the_dump_of_an_object_of_openais_library(tmp_path: Path) -> None:
    answer = CreateEmbeddingResponse.model_validate(openai(*ROWS))
    for text in (answer.model_dump_json(), answer.to_json(), json.dumps(answer.model_dump())):
        (tmp_path / "x").write_text(text)
        file = vectors_in(tmp_path / "x")
        assert (file.model, file.vectors.tolist()) == ("m", ROWS)


@pytest.mark.parametrize("orient", ["records", "lines", "columns", "index", "split", "table"])
def test_data_frames_of_pandas(tmp_path: Path, orient: str) -> None:
    frame = pd.DataFrame({"id": ["a", "b"], "text": ["A", "B"], "embedding": ROWS, "n": [1, 2]})
    path = tmp_path / "x"
    if orient == "lines":
        frame.to_json(path, orient="records", lines=True)
    else:
        frame.to_json(path, orient=orient)
    if orient == "index":
        assert as_vectors(typed(Source(str(path)))) is None
        return
    file = vectors_in(path)
    labels = [{"index": 0}, {"index": 1}] if orient == "table" else [{}, {}]
    fields = ({**labels[0], "n": 1}, {**labels[1], "n": 2})
    assert (file.ids, file.texts, file.fields) == (("a", "b"), ("A", "B"), fields)
    assert file.vectors.tolist() == ROWS


@pytest.mark.parametrize("separator", [",", "\t", ";"])
def test_tables_of_pandas(tmp_path: Path, separator: str) -> None:
    path = tmp_path / ("x.tsv" if separator == "\t" else "x.csv")
    for embedding in (ROWS, [np.array(row) for row in ROWS], ["{0.5,1,0,8}", "{0.25,-2,0,4}"]):
        frame = pd.DataFrame({"id": ["a", "b"], "embedding": embedding, "text": ["A", "B"], "n": [1, 2]})
        frame.to_csv(path, index=False, sep=separator)
        file = vectors_in(path)
        assert (file.ids, file.texts) == (("a", "b"), ("A", "B"))
        assert (file.fields, file.vectors.tolist()) == (({"n": "1"}, {"n": "2"}), ROWS)


def test_an_index_that_is_no_position(tmp_path: Path) -> None:
    rows = [{"index": place, "embedding": [place, 1]} for place in (2, 0, 1)]
    as_field = ({"index": 2}, {"index": 0}, {"index": 1})
    for given, lines in ((rows, False), (rows, True)):
        file = read(given, tmp_path, lines=lines)
        assert (file.vectors[:, 0].tolist(), file.fields) == ([2, 0, 1], as_field)
    shuffled = read({"data": rows}, tmp_path)
    assert (shuffled.vectors[:, 0].tolist(), shuffled.fields) == ([0, 1, 2], ({},) * 3)
    for record in ({"schema": {}, "data": rows}, {"data": [{"text": "a", **row} for row in rows]}):
        file = read(record, tmp_path)
        assert (file.vectors[:, 0].tolist(), file.fields) == ([2, 0, 1], as_field)
    labels = read({"data": rows[:2]}, tmp_path)
    assert (labels.vectors[:, 0].tolist(), labels.fields) == ([2, 0], as_field[:2])


def test_answers_on_lines_are_ordered_each_by_itself(tmp_path: Path) -> None:
    one = openai([1, 0], [2, 0])
    other = openai([3, 0], [4, 0])
    other["data"].reverse()
    assert read([one, other], tmp_path, lines=True).vectors[:, 0].tolist() == [1, 2, 3, 4]


# --- batches ---


def answered(name: str, *rows: Any) -> dict[str, Any]:
    body = openai(*rows)
    return {"id": "r", "custom_id": name, "response": {"status_code": 200, "body": body}, "error": None}


FAILED = {
    "id": "r",
    "custom_id": "doc-2",
    "response": {"status_code": 429, "body": {"error": {"message": "Rate limit reached"}}},
    "error": None,
}
EXPIRED = {"id": "r", "custom_id": "doc\u202e", "response": None, "error": {"code": "batch_expired"}}


def test_the_output_of_a_batch(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    lines = [FAILED, answered("doc-3", [3, 0]), EXPIRED, answered("doc-1", [1, 0], [2, 0])]
    file = read(lines, tmp_path, lines=True)
    assert (file.ids, file.model) == (("doc-3", "doc-1:0", "doc-1:1"), "m")
    assert file.vectors[:, 0].tolist() == [3, 1, 2]
    assert caplog.messages == [
        f"{tmp_path / 'x'}: 2 requests failed and have no vectors; the first is 'doc-2': 'Rate limit reached'"
    ]


def test_a_batch_that_failed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert len(read([EXPIRED, EXPIRED], tmp_path, lines=True)) == 0
    assert "the first is 'doc\\u202e': 'batch_expired'" in caplog.text


def test_batches_of_gemini_and_vertex(tmp_path: Path) -> None:
    gemini = [
        {"key": name, "response": {"embedding": {"values": row}}}
        for name, row in zip("ab", ROWS, strict=True)
    ]
    file = read(gemini, tmp_path, lines=True)
    assert (file.ids, file.vectors.tolist()) == (("a", "b"), ROWS)
    vertex = [
        {"instance": {"content": text}, "predictions": [{"embeddings": {"values": row}}], "status": ""}
        for text, row in zip("AB", ROWS, strict=True)
    ]
    file = read(vertex, tmp_path, lines=True)
    assert (file.texts, file.vectors.tolist()) == (("A", "B"), ROWS)


def test_a_batch_of_something_else(tmp_path: Path) -> None:
    chat = answered("a")
    chat["response"]["body"] = {"object": "chat.completion", "choices": []}
    error = fault([chat, chat], tmp_path, lines=True)
    assert error.message == (
        "item 1 is the answer to request 'a', which has no vectors: it is an object with 'object', 'choices'"
    )


# --- refused ---


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"embeddings": TYPES}, "item 1 has embeddings only as int8, ubinary"),
        ([{"id": "a", "embedding": {"binary": [1]}}], "item 1 has an embedding only as binary"),
        ([{"index": 0, "embedding": ROWS}], NO_POOLING),
        ([ROWS, ROWS], NO_POOLING),
        (openai(ROWS), NO_POOLING),
        (
            {"data": [{"object": "embedding", "embeddings": ROWS}]},
            NO_POOLING,
        ),
        ([[{"index": 3, "value": 0.5}]], "item 1 is a sparse embedding, which is not read"),
        ({"texts": ["A"], "embeddings": ROWS}, "item 1 has 2 embeddings and 1 texts"),
        ([{"embedding": [1]}, {"text": "a"}], "item 2 has no \"embedding\"; it is an object with 'text'"),
        ([{"embedding": [1]}, {"embedding": [1, 2]}], "item 2 has 2 dimensions, those before have 1"),
        ([{"embedding": [1]}, {"embedding": ["a"]}], NO_LIST),
        (
            [{"embedding": "[1,2]"}, {"embedding": "[1,a]"}],
            "item 2 has an embedding that is not a list of numbers",
        ),
        ([{"vector": {"a": [1], "b": [2]}}], "item 1 has 2 embeddings: 'a', 'b'"),
    ],
)
def test_what_is_not_read_is_named(tmp_path: Path, value: Any, message: str) -> None:
    assert fault(value, tmp_path).message == message


def test_items_without_an_embedding_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = [{"id": "a", "text": "A", "embedding": None}, *records("embedding")]
    for lines in (True, False):
        caplog.clear()
        assert read(rows, tmp_path, lines=lines).ids == ("a", "b")
        assert caplog.messages == [f"{tmp_path / 'x'}: 1 text without a vector left out"]


@pytest.mark.parametrize(
    ("id_", "expected"), [(3.0, "3.0"), (True, "true"), (2**62, str(2**62)), (10**30, LONG)]
)
def test_ids_that_are_numbers(tmp_path: Path, id_: float, expected: str) -> None:
    rows = [{"id": id_, "embedding": [1.5]}, {"id": "b", "embedding": [2]}]
    for lines in (True, False):
        assert read(rows, tmp_path, lines=lines).ids == (expected, "b")


def test_a_source_is_read_after_a_look(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text(json.dumps([{"text": "long " * 500_000, "embedding": [1, 2]}]))
    found = as_vectors(typed(Source(str(path))))
    assert found is not None
    assert read_vectors(found).vectors.tolist() == [[1, 2]]


@pytest.mark.parametrize(
    ("before", "inner", "after"),
    [("[", "1.5", "]"), ('{"custom_id":"a","response":', "1", "}"), ('{"embedding":', "[1.5]", "}")],
)
@pytest.mark.parametrize("depth", [5, 400, 900])
def test_values_deep_in_others_end_in_no_traceback(
    tmp_path: Path, before: str, inner: str, after: str, depth: int
) -> None:
    path = tmp_path / "x.json"
    path.write_text(before * depth + inner + after * depth)
    found = as_vectors(typed(Source(str(path))))
    if found is not None:
        with contextlib.suppress(InputError):
            read_vectors(found)


# --- what is kept as it came ---


def raw_of(text: str, path: Path, rows: list[int]) -> bytes | None:
    """Write `text` to a file and return the bytes of another with some of its vectors."""
    path.write_text(text)
    found = as_vectors(typed(Source(str(path))))
    assert found is not None
    file = read_vectors(found, FormatOptions(keeps_raw=True))
    parts = as_they_came([(file.raw, rows)])
    return None if parts is None else b"".join(parts)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ('[ {"vector":[1.50, 0],"x":1},\n{"vector":[2, 1e0]} ]', '[\n{"vector":[2, 1e0]} ]'),
        ("[[1.0, 2],\n [3.00, 4]]", "[\n [3.00, 4]]"),
        ('{"data": [{"embedding": "[1.5]"}, {"embedding": [4.0]}]}', '{"data": [ {"embedding": [4.0]}]}'),
        ('{"vector":[1.50,0]}\n{"vector":[2,1e0]}\n', '{"vector":[2,1e0]}\n'),
        ('{"embedding":null}\n{"embedding":[1.0]}\n{"embedding":[2.00]}\n', '{"embedding":[2.00]}\n'),
        ('{"embeddings": [[1.50, 2], [3, 4]]}', None),
        ('{"embeddings":[[1.50,2],[3,4]]}\n{"embeddings":[[1,2]]}\n', None),
        ('{"columns":["embedding"],"index":[0,1],"data":[[[1,2]],[[3,4]]]}', None),
    ],
)
def test_items_that_stand_alone_are_written_as_they_came(tmp_path: Path, text: str, kept: str | None) -> None:
    assert raw_of(text, tmp_path / "x", [1]) == (None if kept is None else kept.encode())


def test_lines_of_a_batch_are_written_as_they_came(tmp_path: Path) -> None:
    lines = [json.dumps(line) + "\n" for line in (answered("a", [1, 0]), FAILED, answered("b", [0, 1]))]
    assert raw_of("".join(lines), tmp_path / "x", [1]) == lines[2].encode()

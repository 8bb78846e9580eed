"""What is written comes back: every form, bit for bit, through real files and pipes."""

from __future__ import annotations

import base64
import csv
import io
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from support.reading import vectors_in

from simil.errors import InputError, ModelMismatch, UsageError
from simil.formats.detection import typed
from simil.formats.float32_text import nearest_float32
from simil.formats.sources import Source
from simil.vectors import VectorBatch, VectorFile, VectorFormat, sidecar_path
from simil.vectors.lance_form import LanceWriter
from simil.vectors.sniff import as_vectors
from simil.vectors.vector_files import open_writer
from simil.vectors.vector_formats import STREAMED
from simil.vectors.writer import VectorWriter

JSON_FORMS = [VectorFormat.JSON, VectorFormat.JSONL, VectorFormat.BASE64]
TABLES = [VectorFormat.CSV, VectorFormat.TSV]
MODEL = "org/model@1234"
ONE = np.ones((1, 2), np.float32)

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
number = st.floats(width=32, allow_nan=False, allow_infinity=False)
json_value = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=5,
)


@st.composite
def batches(draw: st.DrawFn) -> list[Any]:
    """Some batches of (ids, texts, vectors) of one dimension."""
    dimensions = draw(st.integers(1, 6))
    made = []
    for rows in draw(st.lists(st.integers(0, 4), max_size=3)):
        columns = [
            draw(st.lists(values, min_size=rows, max_size=rows)) for values in (text, st.none() | text)
        ]
        made.append((*columns, draw(arrays(np.float32, (rows, dimensions), elements=number))))
    return made


def bits(vectors: Any) -> Any:
    return np.ascontiguousarray(vectors).view(np.uint32).tolist()


def write(
    path: Path, form: VectorFormat, written: list[Any], fields: list[dict[str, Any]] | None = None
) -> None:
    """Write batches as the command line does; `fields` are those of every item in turn."""
    sidecar = sidecar_path(path).open("wb") if form is VectorFormat.NPY else None
    try:
        with writer_of(path, form, sidecar) as writer:
            done = 0
            for ids, texts, vectors in written:
                of_batch = fields[done : done + len(ids)] if fields else [{} for _ in ids]
                writer.write(VectorBatch(ids, texts, of_batch, vectors))
                done += len(ids)
    finally:
        if sidecar:
            sidecar.close()


@contextmanager
def writer_of(path: Path, form: VectorFormat, sidecar: BinaryIO | None) -> Iterator[VectorWriter]:
    if form is VectorFormat.LANCE:
        with LanceWriter(str(path), MODEL, {}) as dataset:
            yield dataset
        return
    with path.open("wb") as stream, open_writer(form, stream, model=MODEL, sidecar=sidecar) as writer:
        yield writer


def into_bytes(form: VectorFormat, written: list[Any]) -> bytes:
    stream = io.BytesIO()
    with open_writer(form, stream, model=MODEL) as writer:
        for ids, texts, vectors in written:
            writer.write(VectorBatch(ids, texts, [{}] * len(ids), vectors))
    return stream.getvalue()


def in_tsv(cell: str) -> str:
    """What becomes of a cell in TSV."""
    return cell.replace("\t", r"\t").replace("\n", r"\n").replace("\r", r"\r")


def check(read: VectorFile, written: list[Any], form: VectorFormat) -> None:
    ids = [name for batch in written for name in batch[0]]
    texts = [content for batch in written for content in batch[1]]
    if form is VectorFormat.TSV:
        ids, texts = [*map(in_tsv, ids)], [content and in_tsv(content) for content in texts]
    if form in TABLES:
        texts = [content or None for content in texts]
    assert read.ids == tuple(ids)
    assert read.texts == tuple(texts)
    assert len(read) == len(read.fields) == len(ids)
    assert read.vectors.dtype == np.float32
    if ids:
        assert bits(read.vectors) == [row for batch in written for row in bits(batch[2])]
        assert read.dimensions == read.vectors.shape[1]
        assert read.model == MODEL
    else:
        assert read.dimensions is None


@pytest.mark.parametrize("form", VectorFormat)
@given(written=batches())
def test_any_vectors_ids_and_texts_come_back(form: VectorFormat, written: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"x.{'json' if form is VectorFormat.BASE64 else form}")
        write(path, form, written)
        check(vectors_in(str(path)), written, form)
        if any(len(batch[0]) for batch in written):
            assert as_vectors(typed(Source(str(path)))) is not None


@pytest.mark.parametrize("form", [VectorFormat.JSON, VectorFormat.JSONL, VectorFormat.NPY])
@given(fields=st.lists(st.dictionaries(text, json_value, max_size=3), min_size=1, max_size=4))
def test_fields_come_back_as_they_were(form: VectorFormat, fields: list[dict[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"x.{form}")
        names = [str(place) for place in range(len(fields))]
        write(path, form, [(names, names, np.ones((len(names), 2), np.float32))], fields)
        assert vectors_in(str(path)).fields == tuple(fields)


field_name = text.filter(lambda name: name not in ("id", "text", "model") and name[:1] != "d")


@pytest.mark.parametrize("form", TABLES)
@given(fields=st.lists(st.dictionaries(field_name, text, max_size=3), min_size=1, max_size=4))
def test_fields_of_tables_come_back(form: VectorFormat, fields: list[dict[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"x.{form}")
        names = [str(place) for place in range(len(fields))]
        write(path, form, [(names, names, np.ones((len(names), 2), np.float32))], fields)
        columns = dict.fromkeys(name for more in fields for name in more)
        expected = [{name: more.get(name, "") for name in columns} for more in fields]
        if form is VectorFormat.TSV:
            expected = [{in_tsv(name): in_tsv(cell) for name, cell in more.items()} for more in expected]
        assert vectors_in(str(path)).fields == tuple(expected)


def test_a_field_of_a_table_that_is_no_string_is_json(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    write(
        path,
        VectorFormat.CSV,
        [(["1"], ["a"], np.ones((1, 1), np.float32))],
        [{"n": [1, {"b": None}], "z": None}],
    )
    assert vectors_in(str(path)).fields == ({"n": '[1,{"b":null}]', "z": ""},)


# --- digits ---


@given(st.integers(0, 2**32 - 1))
@example(0x15AE43FD)  # 7.038531e-26: halfway between two float32 once it is a double
@example(0x95AE43FD)
@example(0x7F7FFFFF)
@example(0x00000001)
@example(0x80000000)
def test_digits_of_any_float32_come_back(pattern: int) -> None:
    single = np.array([pattern], np.uint32).view(np.float32)
    if np.isfinite(single[0]):
        through = into_bytes(VectorFormat.JSONL, [(["1"], ["a"], single[None])])
        read = vectors_in("-", stdin=io.BytesIO(through), form=VectorFormat.JSONL)
        assert bits(read.vectors) == [[pattern]]


@given(st.integers(0, 0x7F7FFFFE), st.integers(-3, 3))
def test_doubles_around_halfway_round_to_the_nearest(pattern: int, steps: int) -> None:
    low, high = np.array([pattern, pattern + 1], np.uint32).view(np.float32).astype(np.float64)
    double = (low + high) / 2
    for _ in range(abs(steps)):
        double = np.nextafter(double, high if steps > 0 else low)
    result = nearest_float32(np.array([double]))
    if steps:
        assert float(result[0]) == (high if steps > 0 else low)
    else:
        assert float(result[0]) in (low, high)


# --- what stands in the files ---


WRITTEN = [
    (["1", "b\t2"], ["first", None], np.array([[1, -0.0], [0.1, 1e-45]], np.float32)),
    (["3"], ['"a,\n\\r\r\t'], np.array([[3.4028235e38, 16777216]], np.float32)),
]


def test_json_is_what_the_api_returns() -> None:
    data = into_bytes(VectorFormat.JSON, WRITTEN)
    assert data.splitlines()[:2] == [
        b'{"object":"list","data":[',
        b'{"object":"embedding","index":0,"id":"1","text":"first","embedding":[1.0,-0.0]},',
    ]
    document = json.loads(data)
    assert list(document) == ["object", "data", "model", "dimensions"]
    assert (document["object"], document["model"], document["dimensions"]) == ("list", MODEL, 2)
    assert [item["index"] for item in document["data"]] == [0, 1, 2]
    assert [item["text"] for item in document["data"]] == ["first", None, '"a,\n\\r\r\t']
    assert bits(np.array([item["embedding"] for item in document["data"]], np.float32)) == [
        row for batch in WRITTEN for row in bits(batch[2])
    ]
    assert data.endswith(b'\n],"model":"org/model@1234","dimensions":2}\n')


def test_base64_is_little_endian_float32() -> None:
    document = json.loads(into_bytes(VectorFormat.BASE64, WRITTEN))
    rows = [np.frombuffer(base64.b64decode(item["embedding"]), "<f4") for item in document["data"]]
    assert bits(np.stack(rows)) == [row for batch in WRITTEN for row in bits(batch[2])]


def test_json_lines() -> None:
    lines = [json.loads(line) for line in into_bytes(VectorFormat.JSONL, WRITTEN).splitlines()]
    assert [list(line) for line in lines] == [["id", "text", "embedding", "model"]] * 3
    assert lines[1]["id"] == "b\t2"


def test_csv_reads_with_the_csv_module() -> None:
    data = into_bytes(VectorFormat.CSV, WRITTEN).decode()
    rows = list(csv.reader(io.StringIO(data, newline=""), strict=True))
    assert rows == [
        ["id", "text", "model", "d0", "d1"],
        ["1", "first", MODEL, "1.0", "-0.0"],
        ["b\t2", "", MODEL, "0.1", "1e-45"],
        ["3", '"a,\n\\r\r\t', MODEL, "3.4028235e+38", "16777216.0"],
    ]


def test_tsv_has_a_line_a_row() -> None:
    assert into_bytes(VectorFormat.TSV, WRITTEN).decode().split("\n") == [
        "id\ttext\tmodel\td0\td1",
        f"1\tfirst\t{MODEL}\t1.0\t-0.0",
        f"b\\t2\t\t{MODEL}\t0.1\t1e-45",
        f'3\t"a,\\n\\r\\r\\t\t{MODEL}\t3.4028235e+38\t16777216.0',
        "",
    ]


def test_npy_is_numpys_own(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    write(path, VectorFormat.NPY, WRITTEN)
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    assert array.offset == 128
    assert bits(array) == [row for batch in WRITTEN for row in bits(batch[2])]
    beside = json.loads((tmp_path / "x.npy.json").read_bytes())
    assert beside == {
        "data": [
            {"id": "1", "text": "first"},
            {"id": "b\t2", "text": None},
            {"id": "3", "text": '"a,\n\\r\r\t'},
        ],
        "model": MODEL,
        "dimensions": 2,
        "count": 3,
    }


@pytest.mark.parametrize(
    ("form", "content"),
    [
        (VectorFormat.JSON, b'{"object":"list","data":[\n],"model":"org/model@1234","dimensions":null}\n'),
        (VectorFormat.BASE64, b'{"object":"list","data":[\n],"model":"org/model@1234","dimensions":null}\n'),
        (VectorFormat.JSONL, b""),
        (VectorFormat.CSV, b"id,text,model\n"),
        (VectorFormat.TSV, b"id\ttext\tmodel\n"),
    ],
)
def test_no_vectors_make_a_valid_file(form: VectorFormat, content: bytes) -> None:
    assert into_bytes(form, []) == content
    empty = (np.empty((0, 4), np.float32),)
    assert into_bytes(form, [([], [], *empty)]) == content


def test_no_vectors_make_a_valid_npy(tmp_path: Path) -> None:
    write(tmp_path / "x.npy", VectorFormat.NPY, [])
    assert np.load(tmp_path / "x.npy").shape == (0, 0)
    beside = json.loads((tmp_path / "x.npy.json").read_bytes())
    assert beside == {"data": [], "model": MODEL, "dimensions": None, "count": 0}
    assert len(vectors_in(str(tmp_path / "x.npy"))) == 0


# --- streams ---


def through_pipe(form: VectorFormat, written: list[Any]) -> bytes:
    reading, writing = os.pipe()
    received: list[bytes] = []

    def receive() -> None:
        with os.fdopen(reading, "rb") as stream:
            received.append(stream.read())

    thread = threading.Thread(target=receive)
    thread.start()
    with os.fdopen(writing, "wb") as stream, open_writer(form, stream, model=MODEL) as writer:
        for ids, texts, vectors in written:
            writer.write(VectorBatch(ids, texts, [{}] * len(ids), vectors))
    thread.join()
    return received[0]


@pytest.mark.parametrize("form", STREAMED)
def test_a_pipe_gets_what_a_file_gets(form: VectorFormat) -> None:
    big = np.random.default_rng(0).standard_normal((3000, 64)).astype(np.float32)
    names = [str(place) for place in range(3000)]
    written = [(names[:1000], names[:1000], big[:1000]), (names[1000:], names[1000:], big[1000:])]
    data = through_pipe(form, written)
    assert data == into_bytes(form, written)


def read_from_pipe(data: bytes, form: VectorFormat | None = None) -> VectorFile:
    reading, writing = os.pipe()

    def send(stream: BinaryIO) -> None:
        with stream:
            stream.write(data)

    thread = threading.Thread(target=send, args=(os.fdopen(writing, "wb"),))
    thread.start()
    with os.fdopen(reading, "rb") as stream:
        read = vectors_in("-", stdin=stream, form=form)
    thread.join()
    return read


@pytest.mark.parametrize("form", STREAMED)
@pytest.mark.parametrize("named", [True, False])
def test_reading_from_a_pipe(form: VectorFormat, named: bool) -> None:
    big = np.random.default_rng(0).standard_normal((700, 64)).astype(np.float32)
    names = [str(place + 1) for place in range(700)]
    read = read_from_pipe(into_bytes(form, [(names, names, big)]), form if named else None)
    assert read.source == "stdin"
    assert read.ids == tuple(names)
    assert bits(read.vectors) == bits(big)
    assert read.model == (None if form is VectorFormat.NPY else MODEL)


def test_standard_input_of_a_process(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    write(path, VectorFormat.NPY, WRITTEN)
    code = """
from simil.formats.detection import typed
from simil.formats.sources import Source
from simil.vectors.vector_files import read_vectors

read = read_vectors(typed(Source("-")))
print(read.source, read.vectors.shape)
"""
    with path.open("rb") as stream:
        done = subprocess.run([sys.executable, "-c", code], stdin=stream, capture_output=True, check=True)
    assert done.stdout == b"stdin (3, 2)\n"


@pytest.mark.parametrize("form", STREAMED)
def test_a_stream_that_has_begun(tmp_path: Path, form: VectorFormat) -> None:
    path = tmp_path / "x"
    with path.open("wb") as stream:
        stream.write(b"before")
        with open_writer(form, stream, model=MODEL) as writer:
            for ids, texts, vectors in WRITTEN:
                writer.write(VectorBatch(ids, texts, [{}] * len(ids), vectors))
        stream.write(b"after")
    assert path.read_bytes() == b"before" + into_bytes(form, WRITTEN) + b"after"


def test_npy_appended_to_a_file(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    with path.open("ab") as stream, open_writer(VectorFormat.NPY, stream, model=MODEL) as writer:
        writer.write(VectorBatch(["1"], ["a"], [{}], np.ones((1, 3), np.float32)))
    np.testing.assert_array_equal(np.load(path), np.ones((1, 3)))


def test_a_mapped_file_outlives_its_stream_and_is_read_only(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    write(path, VectorFormat.NPY, WRITTEN)
    read = vectors_in(str(path))
    assert not read.vectors.flags.writeable
    assert not read.vectors.flags.owndata
    assert read.vectors.sum() > 0


@given(written=batches())
def test_after_one_pass_tsv_changes_nothing(written: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "x.tsv")
        write(path, VectorFormat.TSV, written)
        for _ in range(2):
            before, read = path.read_bytes(), vectors_in(str(path))
            write(path, VectorFormat.TSV, [(read.ids, read.texts, read.vectors)])
            assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("texts", "note"), [(["a\tb", "c"], "1 cell held"), (["a\tb", "\r\n"], "2 cells held")]
)
def test_cells_that_tsv_cannot_hold_are_counted(
    texts: list[str], note: str, caplog: pytest.LogCaptureFixture
) -> None:
    for form in VectorFormat:
        caplog.clear()
        with open_writer(form, io.BytesIO(), model=MODEL) as writer:
            for text in texts:
                writer.write(VectorBatch(["\\"], [text], [{}], ONE))
        expected = [f"{note} tabs or line ends, written as \\t, \\n, \\r; csv and jsonl keep them exactly"]
        assert caplog.messages == (expected if form is VectorFormat.TSV else [])


# --- what a writer refuses ---


@pytest.mark.parametrize("form", STREAMED)
def test_refused_batches_leave_the_file_as_it_was(form: VectorFormat) -> None:
    stream = io.BytesIO()
    with open_writer(form, stream, model=MODEL) as writer:
        writer.write(VectorBatch(["1"], ["a"], [{}], ONE))
        before = stream.getvalue()
        with pytest.raises(InputError, match="has 3 dimensions, those before have 2"):
            writer.write(VectorBatch(["2"], ["a"], [{}], np.ones((1, 3), np.float32)))
        with pytest.raises(InputError, match="vector of 'b' is not finite"):
            writer.write(
                VectorBatch(["a", "b"], ["a", "b"], [{}, {}], np.array([[1, 2], [np.nan, 1]], np.float32))
            )
        with pytest.raises(InputError, match="1 ids, 2 texts"):
            writer.write(VectorBatch(["2"], ["a", "b"], [{}], ONE))
        assert stream.getvalue() == before
        assert (writer.count, writer.dimensions) == (1, 2)


@pytest.mark.parametrize("form", STREAMED)
def test_vectors_of_another_model_are_refused(form: VectorFormat) -> None:
    with open_writer(form, io.BytesIO(), model=MODEL) as writer:
        writer.write(VectorBatch(["1"], ["a"], [{}], ONE, MODEL))
        with pytest.raises(ModelMismatch, match="vectors of other do not go into a file of org/model@1234"):
            writer.write(VectorBatch(["2"], ["b"], [{}], ONE, "other"))
        assert writer.count == 1


@pytest.mark.parametrize("form", [*JSON_FORMS, *TABLES])
def test_half_a_surrogate_pair(form: VectorFormat) -> None:
    stream = io.BytesIO()
    with (
        pytest.raises(InputError, match=r"'\\ud800' cannot be written"),
        open_writer(form, stream, model=MODEL) as writer,
    ):
        writer.write(VectorBatch(["\ud800"], ["a"], [{}], ONE))
    assert stream.getvalue() == b""


@pytest.mark.parametrize("form", TABLES)
def test_fields_that_a_table_has_no_column_for(form: VectorFormat) -> None:
    with open_writer(form, io.BytesIO(), model=MODEL) as writer:
        writer.write(VectorBatch(["1"], ["a"], [{"x": "1"}], ONE))
        writer.write(VectorBatch(["2"], ["a"], [{}], ONE))
        with pytest.raises(InputError, match="the field 'y' is not in the"):
            writer.write(VectorBatch(["3"], ["a"], [{"x": "1", "y": "2"}], ONE))


@pytest.mark.parametrize("form", TABLES)
@pytest.mark.parametrize("name", ["id", "text", "model", "d0", "d17"])
def test_fields_called_as_columns_are(form: VectorFormat, name: str) -> None:
    stream = io.BytesIO()
    with (
        pytest.raises(InputError, match=f"called '{name}'"),
        open_writer(form, stream, model=MODEL) as writer,
    ):
        writer.write(VectorBatch(["1"], ["a"], [{name: "1"}], ONE))
    assert stream.getvalue() == b""


@pytest.mark.parametrize("form", [form for form in STREAMED if form is not VectorFormat.NPY])
def test_only_npy_has_a_sidecar(form: VectorFormat) -> None:
    with pytest.raises(UsageError, match="themselves"):
        open_writer(form, io.BytesIO(), model=MODEL, sidecar=io.BytesIO())


@pytest.mark.parametrize("form", STREAMED)
def test_closing_twice_ends_once(form: VectorFormat) -> None:
    stream = io.BytesIO()
    writer = open_writer(form, stream, model=MODEL)
    for ids, texts, vectors in WRITTEN:
        writer.write(VectorBatch(ids, texts, [{}] * len(ids), vectors))
    writer.close()
    writer.close()
    assert stream.getvalue() == into_bytes(form, WRITTEN)


class Interrupted(Exception):
    pass


def test_a_broken_off_npy_gives_a_pipe_nothing() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as received:
        with (
            pytest.raises(Interrupted),
            os.fdopen(writing, "wb") as stream,
            open_writer(VectorFormat.NPY, stream, model=MODEL) as writer,
        ):
            writer.write(VectorBatch(["1"], ["a"], [{}], ONE))
            raise Interrupted
        assert received.read() == b""


def test_a_broken_off_json_file_is_not_taken_for_a_whole_one(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    with (
        pytest.raises(Interrupted),
        path.open("wb") as stream,
        open_writer(VectorFormat.JSON, stream, model=MODEL) as writer,
    ):
        writer.write(VectorBatch(["1"], ["a"], [{}], ONE))
        raise Interrupted
    with pytest.raises(InputError, match="not valid JSON"):
        vectors_in(str(path))


@pytest.mark.parametrize("form", STREAMED)
@pytest.mark.parametrize("failed", [0, 1, 2])
def test_a_text_that_failed_is_passed_over(
    tmp_path: Path, form: VectorFormat, failed: int, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / f"x.{'json' if form is VectorFormat.BASE64 else form}"
    vectors = np.array([[1, 2], [3, 4], [5, 6]], np.float32)
    vectors[failed] = np.nan
    beside = sidecar_path(path)
    with (
        path.open("wb") as stream,
        beside.open("wb") as sidecar,
        open_writer(form, stream, model="m", sidecar=sidecar if form is VectorFormat.NPY else None) as writer,
    ):
        writer.write(VectorBatch(["a", "b", "c"], ["A", "B", "C"], [{}, {}, {}], vectors))
    if form is not VectorFormat.NPY:
        beside.unlink()
    assert as_vectors(typed(Source(str(path)))) is not None
    read = vectors_in(str(path))

    kept = [row for row in range(3) if row != failed]
    np.testing.assert_array_equal(read.vectors, vectors[kept])
    assert read.ids == tuple("abc"[row] for row in kept)
    assert read.texts == tuple("ABC"[row] for row in kept)
    assert "1 text without a vector left out" in caplog.text
    if form in (VectorFormat.JSON, VectorFormat.JSONL, VectorFormat.BASE64):
        assert path.read_text("utf-8").count('"embedding":null') == 1


@pytest.mark.parametrize("form", STREAMED)
def test_texts_that_failed_before_any_vector(form: VectorFormat) -> None:
    stream = io.BytesIO()
    has_null = form in JSON_FORMS
    with open_writer(form, stream, model=MODEL) as writer:
        none = np.empty((1, 0), np.float32)
        if has_null:
            writer.write(VectorBatch(["1"], ["a"], [{}], none))
        else:
            # Their columns have to be known by then.
            with pytest.raises(InputError, match="without any dimension"):
                writer.write(VectorBatch(["1"], ["a"], [{}], none))
        writer.write(VectorBatch(["2"], ["b"], [{}], ONE))
        writer.write(VectorBatch(["3"], ["c"], [{}], none))
    assert stream.getvalue().count(b'"embedding":null') == 2 * has_null
    assert writer.dimensions == 2

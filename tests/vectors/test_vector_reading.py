"""Files that others wrote, and every fault with its place."""

from __future__ import annotations

import base64
import csv
import gc
import io
import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.reading import vectors_in

from simil.errors import InputError, ModelMismatch, Place
from simil.vectors import VectorBatch, VectorFile, VectorFormat, format_of, sidecar_path
from simil.vectors.vector_files import open_writer

HEAD = b'{"object":"list","data":[\n'


def read(data: bytes | str, suffix: str, folder: Path) -> VectorFile:
    path = folder / f"x{suffix}"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return vectors_in(str(path))


def fault(data: bytes | str, suffix: str, folder: Path, kind: type[InputError] = InputError) -> InputError:
    with pytest.raises(InputError) as caught:
        read(data, suffix, folder)
    assert type(caught.value) is kind
    return caught.value


def b64(*values: float) -> str:
    return base64.b64encode(np.array(values, "<f4").tobytes()).decode()


def item(embedding: Any, **more: Any) -> dict[str, Any]:
    return {"object": "embedding", "embedding": embedding, **more}


def api(*items: dict[str, Any], **more: Any) -> dict[str, Any]:
    usage = {"prompt_tokens": 5, "total_tokens": 5}
    return {"object": "list", "data": list(items), "model": "text-embedding-3-small", "usage": usage, **more}


# --- accepted ---


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("as_base64", [True, False])
def test_an_answer_of_the_api(tmp_path: Path, indent: int | None, as_base64: bool) -> None:
    rows = [[0.5, -1.25], [2.0, 0.1], [3.0, 1e-9]]
    embeddings = [b64(*row) if as_base64 else row for row in rows]
    document = api(*(item(embeddings[place], index=place) for place in (2, 0, 1)))
    result = read(json.dumps(document, indent=indent), ".json", tmp_path)
    assert result.ids == ("1", "2", "3")
    assert result.texts == (None, None, None)
    assert result.fields == ({}, {}, {})
    assert result.model == "text-embedding-3-small"
    np.testing.assert_array_equal(result.vectors, np.array(rows, np.float32))


def test_items_that_our_head_does_not_lay_out_by_line(tmp_path: Path) -> None:
    pretty = json.dumps(item([1, 2], id="a"), indent=1)
    result = read(HEAD + f'{pretty}, {pretty}\n],"model":"m"}}'.encode(), ".json", tmp_path)
    assert result.ids == ("a", "a")
    assert result.model == "m"


@pytest.mark.parametrize("records", [[{"id": "2"}, {}], [{}, {"id": 1}]])
def test_no_number_of_an_item_is_the_id_of_another(tmp_path: Path, records: list[dict[str, object]]) -> None:
    lines = [json.dumps({**record, "embedding": [place, 1]}) for place, record in enumerate(records)]
    with pytest.raises(InputError, match="has no id, and its number is the id of another item"):
        read("\n".join(lines), ".jsonl", tmp_path)


@pytest.mark.parametrize("data", ["[[1,2],[3,4]]", "\ufeff[\n [1, 2],\n [3.0, 4e0]\n]\n"])
def test_bare_rows(tmp_path: Path, data: str) -> None:
    result = read(data, ".json", tmp_path)
    assert result.model is None
    assert result.ids == ("1", "2")
    np.testing.assert_array_equal(result.vectors, [[1, 2], [3, 4]])


def test_a_list_of_items(tmp_path: Path) -> None:
    data = json.dumps([{"id": 7, "text": "a", "embedding": [1], "model": "m", "label": "x"}])
    result = read(data, ".json", tmp_path)
    assert (result.ids, result.texts, result.fields, result.model) == (("7",), ("a",), ({"label": "x"},), "m")


def test_lines_with_only_an_embedding(tmp_path: Path) -> None:
    result = read('\ufeff{"embedding":[1,2]}\r\n\n{"embedding":[3,4],"label":"x"}', ".jsonl", tmp_path)
    assert result.ids == ("1", "2")
    assert result.fields == ({}, {"label": "x"})
    np.testing.assert_array_equal(result.vectors, [[1, 2], [3, 4]])


def test_lines_of_several_answers_keep_their_order(tmp_path: Path) -> None:
    data = "".join(json.dumps(item([n], index=n % 2)) + "\n" for n in range(4))
    result = read(data, ".ndjson", tmp_path)
    assert result.ids == ("1", "2", "3", "4")
    np.testing.assert_array_equal(result.vectors[:, 0], range(4))


@pytest.mark.parametrize("form", ["%s", '{"data": %s}'])
def test_an_index_is_a_field_where_the_api_has_not_written_it(tmp_path: Path, form: str) -> None:
    rows = [
        {"index": index, "object": "row", "text": text, "embedding": [1, 2]}
        for index, text in [(10, "a"), (12, "b"), ("x", "c"), (10, "d"), (None, "e")]
    ]
    for data, suffix in [
        (form % json.dumps(rows), ".json"),
        ("".join(json.dumps(row) + "\n" for row in rows), ".jsonl"),
    ]:
        file = read(data, suffix, tmp_path)
        assert file.texts == ("a", "b", "c", "d", "e")
        assert [fields["index"] for fields in file.fields] == [10, 12, "x", 10, None]
        assert file.fields[0]["object"] == "row"


def test_a_name_of_two_columns(tmp_path: Path) -> None:
    file = read("id,note,note,d0,d1\nx,1,2,3,4\n", ".csv", tmp_path)
    assert file.fields == ({"note#2": "1", "note#3": "2"},)
    error = fault("id,text,id,d0\nx,a,y,1\n", ".csv", tmp_path)
    assert str(error).endswith(":1: several columns are named 'id'; rename all but one")


def test_a_table_with_cells_left_out_or_added(tmp_path: Path) -> None:
    assert read("id,text,d0,,\nx,a,1\ny,b,2,,,\n", ".csv", tmp_path).vectors.tolist() == [[1], [2]]


@pytest.mark.parametrize("suffix", [".json", ".jsonl", ".csv", ".tsv"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_tells_the_encoding(tmp_path: Path, suffix: str, encoding: str) -> None:
    separator = {".csv": ",", ".tsv": "\t"}.get(suffix)
    text = json.dumps({"id": "é", "embedding": [1, 2]}, ensure_ascii=False) + "\n"
    if suffix == ".json":
        text = f"[{text}]"
    if separator:
        text = separator.join(["id", "d0", "d1"]) + "\n" + separator.join(["é", "1", "2"]) + "\n"
    file = read(text.encode(encoding), suffix, tmp_path)
    assert file.ids == ("é",)
    assert file.vectors.tolist() == [[1, 2]]


def test_a_table_of_others(tmp_path: Path) -> None:
    data = "\ufefflabel,d0,d1,id\r\na,.5,+1,x\r\n\r\nb,-1e-3,2.,y\r\n"
    result = read(data, ".csv", tmp_path)
    assert (result.ids, result.texts, result.model) == (("x", "y"), (None, None), None)
    assert result.fields == ({"label": "a"}, {"label": "b"})
    np.testing.assert_array_equal(result.vectors, np.array([[0.5, 1], [-0.001, 2]], np.float32))


def test_a_table_without_ids_counts(tmp_path: Path) -> None:
    assert read("d0\td1\r\n1\t2\r\n3\t4\r\n", ".tab", tmp_path).ids == ("1", "2")


def test_cells_of_tsv_are_raw(tmp_path: Path) -> None:
    data = 'id\ttext\td0\n1\tC:\\dir\\\\n\t1\n"2\t\\t"\t1\n'
    result = read(data, ".tsv", tmp_path)
    assert (result.ids, result.texts) == (("1", '"2'), ("C:\\dir\\\\n", '\\t"'))


def test_a_long_text_in_csv(tmp_path: Path) -> None:
    gc.collect()  # A reader that an error of another test keeps open has lifted the limit.
    before = csv.field_size_limit()
    text = "x" * 300_000
    assert read(f"id,text,d0\n1,{text},1\n", ".csv", tmp_path).texts == (text,)
    assert csv.field_size_limit() == before


@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f8", ">f8", "<f2", "i1", "<i4", ">u8"])
@pytest.mark.parametrize("by_column", [True, False])
@pytest.mark.parametrize("piped", [True, False])
def test_arrays_of_any_numbers(tmp_path: Path, dtype: str, by_column: bool, piped: bool) -> None:
    path = tmp_path / "x.npy"
    values = np.arange(1, 13).reshape(4, 3).astype(dtype)
    np.save(path, np.asfortranarray(values) if by_column else values)
    stdin = io.BytesIO(path.read_bytes())
    result = vectors_in("-", stdin=stdin) if piped else vectors_in(str(path))
    assert result.vectors.dtype == np.float32
    assert result.vectors.flags.c_contiguous
    np.testing.assert_array_equal(result.vectors, values.astype(np.float32))
    assert result.ids == ("1", "2", "3", "4")
    assert result.model is None


def test_an_array_in_format_2(tmp_path: Path) -> None:
    with (tmp_path / "x.npy").open("wb") as stream:
        np.lib.format.write_array(stream, np.ones((2, 3), np.float32), version=(2, 0))
    assert len(vectors_in(str(tmp_path / "x.npy"))) == 2


@pytest.mark.parametrize("shape", [(0, 0), (0, 384)])
def test_an_array_without_rows(tmp_path: Path, shape: tuple[int, int]) -> None:
    np.save(tmp_path / "x.npy", np.empty(shape, np.float32))
    assert len(vectors_in(str(tmp_path / "x.npy"))) == 0


def test_a_suffix_that_says_nothing(tmp_path: Path) -> None:
    assert read("[[1,2]]", ".vectors", tmp_path).dimensions == 2


def test_a_format_by_name_beats_the_suffix(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text('{"embedding":[1]}\n')
    assert len(vectors_in(str(path), form=VectorFormat.JSONL)) == 1
    path.write_text(json.dumps(api(item(b64(1, 2)))))
    assert vectors_in(str(path), form=VectorFormat.BASE64).dimensions == 2


def test_a_named_pipe(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    subprocess.run(["mkfifo", path], check=True)
    with subprocess.Popen(["sh", "-c", f"echo '[[1,2]]' > {path}"]) as sender:
        assert len(vectors_in(str(path))) == 1
    assert sender.returncode == 0


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("a.json", VectorFormat.JSON),
        ("dir.csv/a.JSONL", VectorFormat.JSONL),
        ("a.ndjson", VectorFormat.JSONL),
        ("a.b.npy", VectorFormat.NPY),
        ("a.csv", VectorFormat.CSV),
        ("a.tsv", VectorFormat.TSV),
        (Path("a.tab"), VectorFormat.TSV),
        ("a.txt", None),
        ("json", None),
        ("-", None),
    ],
)
def test_format_of(name: str | Path, form: VectorFormat | None) -> None:
    assert format_of(name) is form


# --- faults ---

OTHER_LENGTH = "item 2 has 1 dimensions, those before have 2"
NOT_FINITE = "item 2 has a value that is not a finite float32"
LINES = [
    # (lines of a JSON Lines file, line, what is wrong)
    (['{"embedding":[1,2]}', '{"embedding":[1]}'], 2, OTHER_LENGTH),
    (['{"embedding":[1,2]}', "", '{"embedding":[1]}'], 3, OTHER_LENGTH),
    (['{"embedding":[1,2]}', '{"embedding":[1,1e39]}'], 2, NOT_FINITE),
    (['{"embedding":[1,2]}', '{"text":"a"}'], 2, 'item 2 has no "embedding"'),
    (["[1,2]"], 1, "item 1 is not an object"),
    (['{"embedding":{}}'], 1, "item 1 has an embedding that is not a list of numbers"),
    (['{"embedding":[1,"2"]}'], 1, "item 1 has an embedding that is not a list of numbers"),
    (['{"embedding":[1,true]}'], 1, "item 1 has an embedding that is not a list of numbers"),
    (['{"embedding":[[1],[2]]}'], 1, "item 1 has 2 vectors, one for each token, not one for the text"),
    (['{"embedding":["a"]}'], 1, "item 1 has an embedding that is not a list of numbers"),
    (['{"embedding":"[1,\\"2\\"]"}'], 1, "item 1 has an embedding that is not a list of numbers"),
    (['{"embedding":"[0.1 0.2 ... 0.3]"}'], 1, "item 1 has an embedding that is abbreviated with ..."),
    (['{"embedding":{"int8":[1]}}'], 1, "item 1 has an embedding only as int8"),
    (['{"embedding":{"title":[1],"body":[2]}}'], 1, "item 1 has 2 embeddings: 'title', 'body'"),
    (['{"embedding":[]}'], 1, "item 1 has an empty embedding"),
    (['{"embedding":""}'], 1, "item 1 has an empty embedding"),
    (['{"embedding":"AAAA"}'], 1, "item 1 has an embedding that is cut short: 3 bytes"),
    (['{"embedding":"AAAAA"}'], 1, "item 1 has an embedding that is not base64"),
    (['{"embedding":"AA AA"}'], 1, "item 1 has an embedding that is not base64"),
    (['{"embedding":"é"}'], 1, "item 1 has an embedding that is not base64"),
    ([f'{{"embedding":"{b64(float("nan"))}"}}'], 1, "item 1 has a value that is not a finite float32"),
    (['{"embedding":[1],"id":null}'], 1, 'item 1 has an "id" that is null'),
    (['{"embedding":[1],"id":[1]}'], 1, 'item 1 has an "id" that is an array'),
    (['{"embedding":[1],"id":1e300}'], 1, 'item 1 has an "id" that is a number too large to be exact'),
    (['{"embedding":[1],"text":["a"]}'], 1, 'item 1 has a "text" that is not a string'),
    (['{"embedding":[1],"fields":["a"]}'], 1, 'item 1 has "fields" that are not an object'),
    (['{"embedding":[1],"model":1}'], 1, '"model" is not a string'),
]


@pytest.mark.parametrize(("lines", "line", "message"), LINES)
def test_faults_in_json_lines(tmp_path: Path, lines: list[str], line: int, message: str) -> None:
    error = fault("\n".join(lines) + "\n", ".jsonl", tmp_path)
    assert error.place == Place(str(tmp_path / "x.jsonl"), line)
    assert error.message.startswith(message)


@pytest.mark.parametrize(("lines", "line", "message"), [case for case in LINES if "" not in case[0]])
def test_the_same_faults_in_a_document(tmp_path: Path, lines: list[str], line: int, message: str) -> None:
    by_line = fault(HEAD + ",\n".join(lines).encode() + b'\n],"model":null}', ".json", tmp_path)
    as_whole = fault('{"data":[' + ",".join(lines) + "]}", ".json", tmp_path)
    assert by_line.place == Place(str(tmp_path / "x.json"), line + 1)
    assert as_whole.place == Place(str(tmp_path / "x.json"))
    assert by_line.message.startswith(message)
    assert as_whole.message == by_line.message


def test_a_fault_after_many_rows_names_its_line(tmp_path: Path) -> None:
    lines = ['{"embedding":[1]}'] * 3000
    lines[1234] = '{"embedding":[-4e38]}'
    error = fault("\n".join(lines), ".jsonl", tmp_path)
    assert error.place == Place(str(tmp_path / "x.jsonl"), 1235)
    assert error.message.startswith("item 1235 has a value")


@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
def test_two_models_in_one_file(tmp_path: Path, suffix: str) -> None:
    for models, names in [
        (("a", "b"), "model 'b', those before are of model 'a'"),
        (("a", ""), "no known model, those before are of model 'a'"),
        (("", "b"), "model 'b', those before are of no known model"),
    ]:
        if suffix == ".csv":
            data = "id,model,d0\n" + "".join(f"1,{model},1\n" for model in models)
        else:
            data = "".join(json.dumps({"embedding": [1], "model": model}) + "\n" for model in models)
        error = fault(data, suffix, tmp_path, ModelMismatch)
        assert error.place == Place(str(tmp_path / f"x{suffix}"), 3 if suffix == ".csv" else 2)
        assert error.message == f"item 2 is of {names}"


def test_a_document_and_its_items_name_two_models(tmp_path: Path) -> None:
    error = fault(json.dumps(api(item([1], model="other"))), ".json", tmp_path, ModelMismatch)
    assert "'other'" in error.message
    assert "'text-embedding-3-small'" in error.message


@pytest.mark.parametrize(
    ("data", "suffix", "line", "column", "message"),
    [
        (b'{"data":[\n {"embedding": [1,]}]}', ".json", 2, 18, "not valid JSON"),
        (HEAD + b'{"embedding":[1]},\n{"embedding":[1}\n],"model":null}', ".json", 3, 16, "not valid JSON"),
        (HEAD + b'{"embedding":[1]}\n{"embedding":[1]}\n],"model":null}', ".json", 3, 1, "not valid JSON"),
        (HEAD + b'{"embedding":[1]},\n],"model":null}', ".json", 2, 18, "not valid JSON"),
        (HEAD + b'{"embedding":[1]},', ".json", 2, 19, "not valid JSON"),
        (b"", ".json", 1, 1, "not valid JSON"),
        (b"[[1,NaN]]", ".json", 1, 5, "not valid JSON"),
        (b'{"embedding":[1]}\n{"text":"\xc3\xa9", oops}\n', ".jsonl", 2, 14, "not valid JSON"),
        (b'{"embedding":[1]}\n{"embedding":[1', ".jsonl", 2, 16, "not valid JSON"),
        (b'{"embedding":[1]}\n{"text":"\xc3\xa9\xff"}\n', ".jsonl", 2, 11, "byte 0xff is not UTF-8"),
        (b'[{"text":\n"\xc3\xa9\xfe"}]', ".json", 2, 3, "byte 0xfe is not UTF-8"),
        (b"id,d0\n\xc3\xa9,1\n\xc3\xa9\xff,1\n", ".csv", 3, 2, "byte 0xff is not UTF-8"),
        (b"id\td0\n\xe9\t1\n", ".tsv", 2, 1, "byte 0xe9 is not UTF-8"),
    ],
)
def test_malformed_bytes(
    tmp_path: Path, data: bytes, suffix: str, line: int, column: int, message: str
) -> None:
    error = fault(data, suffix, tmp_path)
    assert error.place == Place(str(tmp_path / f"x{suffix}"), line, column)
    assert error.message.startswith(message)


@pytest.mark.parametrize("data", ["{}", "3", '"a"', '{"error":{"message":"no"}}', '{"data":{"a":1}}', "null"])
def test_documents_without_vectors(tmp_path: Path, data: str) -> None:
    error = fault(data, ".json", tmp_path)
    assert error.message.startswith("holds no vectors: it is ") or error.message.startswith("item 1 is not")
    assert error.place == Place(str(tmp_path / "x.json"))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("[1, 2]", "holds no vectors: it is an array of 2, the first a number"),
        ('["a"]', "holds no vectors: it is an array of 1, the first a string"),
        ("{}", "holds no vectors: it is an empty object"),
        ('{"error":{"message":"no"}}', "holds no vectors: it is an object with 'error'"),
        ('{"data":[[1]]}', "item 1 is not an object with an embedding but an array"),
        ('{"data":[{"text":"a"}]}', "item 1 has no \"embedding\"; it is an object with 'text'"),
    ],
)
def test_what_else_there_is_is_named(tmp_path: Path, data: str, message: str) -> None:
    assert fault(data, ".json", tmp_path).message == message


@pytest.mark.parametrize(
    ("indices", "message"),
    [
        ((0, 0), 'item 2 has "index" 0, that of another item'),
        ((0, 2), 'item 2 has "index" 2, beyond the 2 items'),
        ((1, None), 'item 2 has "index" 1, that of another item'),
        ((0, -1), 'item 2 has an "index" that is not a count from 0: -1'),
        ((0, True), 'item 2 has an "index" that is not a count from 0: True'),
        ((0, "1"), "item 2 has an \"index\" that is not a count from 0: '1'"),
    ],
)
def test_indices_that_do_not_order(tmp_path: Path, indices: tuple[Any, Any], message: str) -> None:
    error = fault(json.dumps(api(*(item([1], index=index) for index in indices))), ".json", tmp_path)
    assert error.message == message


def test_dimensions_that_disagree(tmp_path: Path) -> None:
    error = fault(json.dumps(api(item([1, 2]), dimensions=3)), ".json", tmp_path)
    assert error.message == '"dimensions" is 3, but the vectors have 2'


@pytest.mark.parametrize(
    ("data", "suffix", "line", "message"),
    [
        ("", ".csv", None, "is empty"),
        ("", ".tsv", None, "is empty"),
        ("id,text\n1,a\n", ".csv", 1, "the header has no column d0"),
        ("id,d0,d1\n1,2\n", ".csv", 2, "item 1 has 2 columns, the header has 3"),
        ("id\td0\n1\t2\n1\t2\t3\n", ".tsv", 3, "item 2 has 3 columns, the header has 2"),
        ('id,d0\n"1\n\n",2\nx,abc\n', ".csv", 5, "item 2 has 'abc' in column d0, which is not a number"),
        ("id,d0,d1\nx,1,\n", ".csv", 2, "item 1 has '' in column d1, which is not a number"),
        ("id,d0,d1\nx,1,1_0\n", ".csv", 2, "item 1 has '1_0' in column d1, which is not a number"),
        ("id,d0,d1\nx,1,null\n", ".csv", 2, "item 1 has 'null' in column d1, which is not a number"),
        ('id,d0,d1\nx,1,"1,2"\n', ".csv", 2, "item 1 has '1,2' in column d1, which is not a number"),
        ("id,d0\nx,1\ny,nan\n", ".csv", 3, NOT_FINITE),
        ("id,d0\nx,1\ny,1e39\n", ".csv", 3, NOT_FINITE),
        ('id,d0\nx,"1"2\n', ".csv", 2, "not valid CSV"),
        ('id,d0\nx,1\n"y,1\n\n', ".csv", 3, "a quote opened in the row that begins here is never closed"),
    ],
)
def test_faults_in_tables(tmp_path: Path, data: str, suffix: str, line: int | None, message: str) -> None:
    error = fault(data, suffix, tmp_path)
    assert error.place == Place(str(tmp_path / f"x{suffix}"), line)
    assert error.message.startswith(message)


@pytest.mark.parametrize("kind", ["missing", "folder"])
@pytest.mark.parametrize("suffix", [".json", ".npy", ""])
def test_files_that_cannot_be_read(tmp_path: Path, kind: str, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    if kind == "folder":
        path.mkdir()
    with pytest.raises(InputError, match=r"no such file|is a directory") as caught:
        vectors_in(str(path))
    assert caught.value.place == Place(str(path))


# --- arrays ---


def npy(array: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


ROWS = np.arange(1, 7, dtype=np.float32).reshape(3, 2)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is not a sound .npy file"),
        (b"\x93NUM", "is not a sound .npy file"),
        (b"hello, this is text", "is not a sound .npy file"),
        (npy(ROWS)[:100], "is not a sound .npy file"),
        (npy(ROWS).replace(b"'descr'", b"'dexcr'"), "is not a sound .npy file"),
        (npy(ROWS).replace(b"(3, 2)", b"(-3,2)"), "has shape (-3, 2)"),
        (b"\x93NUMPY\x03\x00" + npy(ROWS)[8:], "is .npy version 3.0"),
        (npy(ROWS)[:-1], "is cut short: 3 vectors of 2 dimensions take 24 bytes, 23 are there"),
        (npy(ROWS)[:128], "is cut short: 3 vectors of 2 dimensions take 24 bytes, 0 are there"),
        (npy(ROWS.astype(object)), "holds object values, not numbers"),
        (npy(ROWS.astype(complex)), "holds complex128 values, not numbers"),
        (npy(ROWS.astype(bool)), "holds bool values, not numbers"),
        (npy(ROWS.astype(str)), "holds <U32 values, not numbers"),
        (npy(ROWS[0]), "has shape (2,)"),
        (npy(ROWS[:, :0]), "has shape (3, 0)"),
        (npy(ROWS[None]), "has shape (1, 3, 2)"),
        (npy(np.array([[1, 2], [1, np.nan]], np.float32)), NOT_FINITE),
        (npy(np.array([[1], [1e39]])), NOT_FINITE),
        (npy(np.vstack([np.ones((9999, 1)), [[np.inf]]])), "item 10000 has a value"),
    ],
)
@pytest.mark.parametrize("piped", [True, False])
def test_faults_in_arrays(tmp_path: Path, data: bytes, message: str, piped: bool) -> None:
    if piped:
        with pytest.raises(InputError) as caught:
            vectors_in("-", stdin=io.BytesIO(data), form=VectorFormat.NPY)
        error = caught.value
    else:
        error = fault(data, ".npy", tmp_path)
    assert error.place == Place("stdin" if piped else str(tmp_path / "x.npy"))
    assert error.message.startswith(message)


def sidecar(**changes: Any) -> dict[str, Any]:
    items = [{"id": name, "text": name * 2} for name in "abc"]
    return {"data": items, "model": "m", "dimensions": 2, "count": 3, **changes}


def test_an_array_with_a_sidecar(tmp_path: Path) -> None:
    (tmp_path / "x.npy.json").write_text(json.dumps(sidecar()))
    result = read(npy(ROWS), ".npy", tmp_path)
    assert (result.ids, result.texts, result.model) == (("a", "b", "c"), ("aa", "bb", "cc"), "m")


def test_a_sidecar_that_says_little(tmp_path: Path) -> None:
    (tmp_path / "x.npy.json").write_text('{"data":[{},{"label":"x"},{}]}')
    result = read(npy(ROWS), ".npy", tmp_path)
    assert (result.ids, result.fields, result.model) == (("1", "2", "3"), ({}, {"label": "x"}, {}), None)


@pytest.mark.parametrize(
    ("content", "place", "message"),
    [
        (sidecar(count=4), (), "the count is 4, but "),
        (sidecar(dimensions=3), (), "the dimensions is 3, but "),
        (sidecar(data=[{}] * 4), (), "the length of data is 4, but "),
        (sidecar(data=[1, 2, 3]), (), "does not list the vectors of "),
        ([], (), "does not list the vectors of "),
        ({}, (), "does not list the vectors of "),
        (sidecar(model=3), (), '"model" is not a string'),
        (sidecar(data=[{}, {"id": []}, {}]), (), 'item 2 has an "id" that is an array'),
    ],
)
def test_sidecars_that_do_not_belong(
    tmp_path: Path, content: Any, place: tuple[int, ...], message: str
) -> None:
    path = sidecar_path(tmp_path / "x.npy")
    path.write_text(json.dumps(content))
    error = fault(npy(ROWS), ".npy", tmp_path)
    assert error.place == Place(str(path), *place)
    assert error.message.startswith(message)


def test_a_malformed_sidecar(tmp_path: Path) -> None:
    (tmp_path / "x.npy.json").write_text('{"data":[\n oops')
    error = fault(npy(ROWS), ".npy", tmp_path)
    assert error.place == Place(str(tmp_path / "x.npy.json"), 2, 2)


def test_an_error_is_one_line_whatever_stands_in_the_file(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read('id,d0\nx,"a\nb"\n', ".csv", tmp_path)
    assert "\n" not in str(caught.value)


def test_writers_and_readers_agree_on_stdin(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with open_writer(VectorFormat.TSV, stream, model="m") as writer:
        writer.write(VectorBatch(["1"], ["a"], [{}], ROWS[:1]))
    stream.seek(0)
    assert vectors_in("-", stdin=stream).texts == ("a",)

"""Archives of NumPy and files of safetensors, written by their own libraries."""

from __future__ import annotations

import io
import os
import threading
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from safetensors.numpy import save
from support.reading import vectors_in

from simil.errors import InputError
from simil.formats.detection import typed
from simil.formats.sources import Source
from simil.vectors import VectorFile
from simil.vectors.sniff import as_vectors
from simil.vectors.vector_files import read_vectors

ROWS = np.array([[1, -0.0], [0.1, 1e-45], [3.4028235e38, 5]], np.float32)
EMPTY = np.empty((0, 4), np.float32)


def npz(*, compressed: bool = False, **columns: Any) -> bytes:
    stream = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(stream, **columns)
    return stream.getvalue()


def read(data: bytes, folder: Path, name: str = "x") -> VectorFile:
    path = folder / name
    path.write_bytes(data)
    return vectors_in(path)


def fault(data: bytes, folder: Path, name: str = "x") -> InputError:
    with pytest.raises(InputError) as caught:
        read(data, folder, name)
    assert caught.value.place is not None
    assert caught.value.place.source == str(folder / name)
    return caught.value


def bits(vectors: Any) -> Any:
    return np.ascontiguousarray(vectors).view(np.uint32).tolist()


def read_from_pipe(data: bytes, size: int) -> VectorFile:
    """Read from a pipe into which `data` is written in parts of `size` bytes."""
    reading, writing = os.pipe()

    def send(stream: BinaryIO) -> None:
        with stream:
            stream.writelines(data[start : start + size] for start in range(0, len(data), size))

    thread = threading.Thread(target=send, args=(os.fdopen(writing, "wb", buffering=0),))
    thread.start()
    with os.fdopen(reading, "rb", buffering=0) as stream:
        found = as_vectors(typed(Source("-", stream)))
        assert found is not None
        file = read_vectors(found)
    thread.join()
    return file


FILES = {
    "npz": npz(embeddings=ROWS),
    "npz compressed": npz(embeddings=ROWS, compressed=True),
    "safetensors": save({"embeddings": ROWS}),
}


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_pipes(kind: str, size: int) -> None:
    assert bits(read_from_pipe(FILES[kind], size).vectors) == bits(ROWS)


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("name", ["x", "x.txt", "x.NPZ", "x.safetensors"])
def test_the_first_bytes_tell_whatever_the_name_says(tmp_path: Path, kind: str, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(FILES[kind])
    found = as_vectors(typed(Source(str(path))))
    assert found is not None
    assert found.format.name == kind.partition(" ")[0]
    assert bits(read_vectors(found).vectors) == bits(ROWS)


@given(
    st.lists(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), min_size=1, max_size=4
    ),
    st.booleans(),
    st.data(),
)
def test_whatever_numpy_saves(texts: list[str], compressed: bool, data: st.DataObject) -> None:
    rows = data.draw(
        arrays(
            np.float32, (len(texts), 3), elements=st.floats(width=32, allow_nan=False, allow_infinity=False)
        )
    )
    columns = {
        "embeddings": rows,
        "ids": np.array(texts),
        "texts": np.array(texts),
        "label": np.arange(len(texts)),
    }
    file = read_from_pipe(npz(compressed=compressed, **columns, model=np.array("m")), 10_000)
    assert (file.ids, file.texts, file.model) == (tuple(texts), tuple(texts), "m")
    assert file.fields == tuple({"label": number} for number in range(len(texts)))
    assert bits(file.vectors) == bits(rows)


def test_columns_of_other_types(tmp_path: Path) -> None:
    columns = {
        "ids": np.array([3, 2**62]),
        "yes": np.array([True, False]),
        "score": np.array([0.5, 1]),
        "raw": np.array([b"a", b"b"]),
        "day": np.array(["2024-01-02", "2025-01-02"], "datetime64[D]"),
        "model": np.array(["m", "m"]),
        "fields": np.array(["f", "g"]),
    }
    file = read(npz(vectors=ROWS[:2], **columns), tmp_path)
    assert (file.ids, file.model) == (("3", str(2**62)), "m")
    assert file.fields[0] == {"yes": True, "score": 0.5, "raw": "a", "day": "2024-01-02", "fields": "f"}


def test_the_only_table_of_floats(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = npz(anything=ROWS, counts=np.ones((3, 2), int), more=np.ones(7), what=np.array([{}, 1, 2], object))
    assert bits(read(data, tmp_path).vectors) == bits(ROWS)
    path = tmp_path / "x"
    assert caplog.messages == [
        f"{path}: the array 'counts' is left out: it is int64 of shape [3, 2]",
        f"{path}: the array 'more' is left out: it is float64 of shape [7]",
        f"{path}: the array 'what' is left out: it is object of shape [3]",
    ]
    assert len(read(npz(embeddings=ROWS, others=ROWS), tmp_path)) == 3


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f4"])
def test_any_floats(tmp_path: Path, dtype: str) -> None:
    rows = np.arange(6).reshape(3, 2).astype(dtype)
    assert read(npz(embeddings=rows), tmp_path).vectors.tolist() == rows.tolist()
    assert read(npz(embeddings=np.asfortranarray(rows)), tmp_path).vectors.tolist() == rows.tolist()
    if dtype != ">f4":
        assert read(save({"x": rows}, {"model": "m"}), tmp_path).vectors.tolist() == rows.tolist()


def test_bfloat16(tmp_path: Path) -> None:
    upper = (np.array([[1, -2.5], [1e30, 0]], np.float32).view(np.uint32) >> 16).astype("<u2")
    data = save({"embeddings": upper}, {"model": "m"}).replace(b'"U16"', b'"BF16"')
    size = int.from_bytes(data[:8], "little")
    file = read((size + 1).to_bytes(8, "little") + data[8:], tmp_path)
    expected = (upper.astype(np.uint32) << 16).view(np.float32)
    assert bits(file.vectors) == bits(expected)
    assert file.model == "m"


def test_a_safetensors_file_is_mapped(tmp_path: Path) -> None:
    file = read(save({"embeddings": ROWS}), tmp_path)
    assert not file.vectors.flags.owndata
    assert (file.ids, file.texts, file.model) == (("1", "2", "3"), (None,) * 3, None)


def test_other_tensors_are_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = save(
        {"counts": np.ones((3, 2), np.int64), "vectors": ROWS, "weights": np.ones((5, 5), np.float32)}
    )
    assert bits(read(data, tmp_path).vectors) == bits(ROWS)
    assert sorted(caplog.messages) == [
        f"{tmp_path / 'x'}: the tensor 'counts' is left out: it is I64 of shape [3, 2]",
        f"{tmp_path / 'x'}: the tensor 'weights' is left out: it is F32 of shape [5, 5]",
    ]


def test_files_without_rows(tmp_path: Path) -> None:
    assert len(read(npz(embeddings=EMPTY), tmp_path)) == 0
    assert len(read(save({"embeddings": EMPTY}), tmp_path)) == 0


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (npz(a=ROWS, b=ROWS), "holds 2 tables of floats: 'a' is float32 of shape [3, 2]; 'b' is"),
        (
            npz(a=ROWS[0], b=np.ones((2, 2), int)),
            "holds no table of floats, with a row for each text: 'a' is",
        ),
        (npz(a=np.ones((3, 2, 4))), "holds no table of floats, with a row for each text: 'a' is float64 of"),
        (
            npz(embeddings=ROWS, ids=np.array([None] * 3)),
            "the array 'ids' is object of shape [3], for 3 vectors",
        ),
        (npz(embeddings=ROWS, texts=np.arange(3)), 'item 1 has a "text" that is not a string'),
        (npz(embeddings=ROWS, ids=np.arange(2)), "the array 'ids' is int64 of shape [2], for 3 vectors"),
        (npz(embeddings=ROWS, model=np.array(["m", "n"])), "its vectors are of 2 models"),
        (npz(embeddings=ROWS.astype(float) * 10), "item 3 has a value that is not a finite float32"),
        (npz(embeddings=ROWS)[:-30], "is not a sound .npz file: "),
        (npz(embeddings=ROWS).replace(ROWS.tobytes(), b"\1" * ROWS.nbytes), "is not a sound .npz file: "),
        (save({"a": ROWS, "b": ROWS}), "holds 2 tables of floats: 'a' is F32 of shape [3, 2]"),
        (
            save({"a": np.ones((3, 2), np.int8)}),
            "holds no table of floats, with a row for each text: 'a' is I8 of",
        ),
        (save({"a": ROWS})[:-1], "is cut short: 3 vectors of 2 dimensions take 24 bytes, 23 are there"),
        (save({"a": ROWS}).replace(b"F32", b"F16"), "is not a sound .safetensors file: its header says "),
        (
            save({"a": ROWS}).replace(b'"shape"', b'"shame"'),
            "is not a sound .safetensors file: its header says ",
        ),
        (
            save({"a": ROWS}).replace(b'{"a', b"{[a"),
            "is not a sound .safetensors file: its header is not JSON",
        ),
    ],
)
def test_faults(tmp_path: Path, data: bytes, message: str) -> None:
    assert fault(data, tmp_path).message.startswith(message)


@pytest.mark.parametrize("name", ["x.npz", "x.safetensors"])
@pytest.mark.parametrize("data", [b"", b"hello, this is text\n", b"\0" * 100])
def test_names_that_promise_more(tmp_path: Path, name: str, data: bytes) -> None:
    assert fault(data, tmp_path, name).message.startswith(f"is not a sound {Path(name).suffix} file")


@pytest.mark.parametrize("order", "<>")
def test_numbers_that_are_no_characters(tmp_path: Path, order: str) -> None:
    path = tmp_path / "x.npz"
    ids = np.array([0x110000, 0x61], f"{order}u4").view(f"{order}U1")
    np.savez(path, embeddings=np.eye(2, dtype=np.float32), ids=ids)
    with pytest.raises(InputError, match="the array 'ids' holds numbers that are not characters"):
        vectors_in(path)


def test_an_archive_of_something_else(tmp_path: Path) -> None:
    data = npz(embeddings=ROWS).replace(b"embeddings.npy", b"embeddings.txt")
    assert fault(data, tmp_path).message == "is a ZIP archive, not text"

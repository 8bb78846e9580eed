"""Vectors in Parquet and Arrow: every type of list is read, and what is written comes back bit for bit."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pyarrow import ipc
from support.reading import opened

from simil.errors import InputError, ModelMismatch
from simil.formats.sources import Source
from simil.vectors import VectorBatch, VectorFile, VectorFormat
from simil.vectors.arrow_form import holds_vectors
from simil.vectors.sniff import as_vectors
from simil.vectors.vector_files import open_writer, read_vectors

FORMS = [VectorFormat.PARQUET, VectorFormat.ARROW]
MODEL = "org/model@1234"
EVERY = "Aaǅʰª\u0301\u0903\u20dd1Ⅷ¼_-()«»!+$^© \u2028\u2029\x00\u200d\ue000\U0010ffff\r\n\t\"',;|\ufeff"
TWO = [[1.0, 2.0], [3.0, 4.0]]

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
number = st.floats(width=32, allow_nan=False, allow_infinity=False)


def write(
    form: VectorFormat,
    vectors: Sequence[Any],
    texts: Sequence[str | None] | None = None,
    fields: Sequence[dict[str, object]] | None = None,
    *,
    ids: Sequence[str] | None = None,
    model: str = MODEL,
    types: dict[str, Any] | None = None,
    at_once: int = 1000,
) -> bytes:
    """Write vectors in batches of so many to a stream that neither seeks nor says where it is."""
    stream = OnlyWritten()
    rows = np.array(vectors, np.float32)
    with open_writer(form, stream, model=model, types=types) as writer:
        for start in range(0, len(rows), at_once):
            part = slice(start, start + at_once)
            number = len(rows[part])
            writer.write(
                VectorBatch(
                    ids[part] if ids else [str(row + 1) for row in range(start, start + number)],
                    texts[part] if texts else [None] * number,
                    fields[part] if fields else [{}] * number,
                    rows[part],
                )
            )
    return stream.data


class OnlyWritten(io.RawIOBase):
    """What is written, as a pipe takes it."""

    def __init__(self) -> None:
        self.data = b""

    def write(self, data: Any) -> int:
        self.data += bytes(data)
        return len(data)

    def tell(self) -> int:
        raise OSError("a pipe")


def table_of(data: bytes) -> pa.Table:
    return pq.read_table(io.BytesIO(data)) if data[:4] == b"PAR1" else ipc.open_file(data).read_all()


def read(source: object) -> VectorFile:
    """Read a file, or the bytes or the table of one."""
    if isinstance(source, pa.Table):
        stream = io.BytesIO()
        pq.write_table(source, stream)
        source = stream.getvalue()
    stdin = io.BytesIO(source) if isinstance(source, bytes) else None
    (typed,) = opened(["-" if stdin else source], stdin=stdin)
    found = as_vectors(typed)
    assert found is not None
    return read_vectors(found)


def bits(vectors: Any) -> Any:
    return np.ascontiguousarray(vectors, np.float32).view(np.uint32).tolist()


# --- written and read ---


@st.composite
def batches(draw: st.DrawFn) -> tuple[Any, list[str], list[str | None]]:
    """Vectors, ids and texts."""
    rows, width = draw(st.integers(1, 6)), draw(st.integers(1, 5))
    vectors = draw(arrays(np.float32, (rows, width), elements=number))
    ids = draw(st.lists(text, min_size=rows, max_size=rows))
    return vectors, ids, draw(st.lists(st.none() | text, min_size=rows, max_size=rows))


@pytest.mark.parametrize("form", FORMS)
@given(written=batches(), at_once=st.integers(1, 4))
@example(written=(np.ones((1, 1), np.float32), [EVERY], [EVERY]), at_once=1)
def test_any_vectors_ids_and_texts_come_back(form: VectorFormat, written: Any, at_once: int) -> None:
    vectors, ids, texts = written
    file = read(write(form, vectors, texts, ids=ids, at_once=at_once))
    assert (file.ids, file.texts, file.model) == (tuple(ids), tuple(texts), MODEL)
    assert bits(file.vectors) == bits(vectors)
    assert file.vectors.dtype == np.float32


@pytest.mark.parametrize("form", FORMS)
@given(fields=st.lists(st.dictionaries(text, text | st.none(), max_size=3), min_size=1, max_size=4))
@example(
    fields=[{"id": "a", "text": "b", "embedding": "c", "model": "d", "text_2": "e", "": "f", "a.b": "g"}]
)
def test_fields_of_any_name_come_back(form: VectorFormat, fields: list[dict[str, object]]) -> None:
    file = read(write(form, np.ones((len(fields), 2)), fields=fields))
    names = dict.fromkeys(name for one in fields for name in one)
    assert list(file.fields) == [{name: one.get(name) for name in names} for one in fields]
    assert file.ids == tuple(str(row + 1) for row in range(len(fields)))
    assert file.model == MODEL


@pytest.mark.parametrize("form", FORMS)
def test_the_columns_of_a_file(form: VectorFormat) -> None:
    data = write(form, TWO, ["a", None], [{"n": 1}, {"n": None}])
    table = table_of(data)
    assert table.schema.names == ["id", "text", "n", "embedding"]
    assert table.schema.types[:3] == [pa.string(), pa.string(), pa.int64()]
    vectors = table.schema.field("embedding").type
    assert pa.types.is_fixed_size_list(vectors)
    assert (vectors.value_type, vectors.list_size) == (pa.float32(), 2)
    assert table["embedding"].to_pylist() == TWO
    assert {
        key.decode(): value.decode()
        for key, value in table.schema.metadata.items()
        if key.startswith(b"simil.")
    } == {
        "simil.id": "id",
        "simil.text": "text",
        "simil.embedding": "embedding",
        "simil.model": "org/model",
        "simil.revision": "1234",
        "simil.dimensions": "2",
    }


@pytest.mark.parametrize("model", ["org/model@1234", "letters", "a@b@c", "@", "a@", "@b", "é@ü"])
def test_any_name_of_a_model_comes_back(model: str) -> None:
    for form in FORMS:
        assert read(write(form, TWO, model=model)).model == model


def test_names_that_fields_have_are_not_taken() -> None:
    table = table_of(write(VectorFormat.PARQUET, TWO, ["a", "b"], [{"text": 1, "text_2": 2, "id": 3}] * 2))
    assert table.schema.names == ["id_2", "text_3", "text", "text_2", "id", "embedding"]


@pytest.mark.parametrize("form", FORMS)
def test_a_file_without_vectors(form: VectorFormat) -> None:
    file = read(write(form, np.empty((0, 2))))
    assert (len(file), file.dimensions, file.model) == (0, None, MODEL)


@pytest.mark.parametrize("form", FORMS)
def test_a_text_without_a_vector_is_null_and_left_out(
    form: VectorFormat, caplog: pytest.LogCaptureFixture
) -> None:
    data = write(form, [[np.nan, np.nan], [1, 2], [np.nan, np.nan]], ["a", "b", "c"])
    assert table_of(data)["embedding"].to_pylist() == [None, [1.0, 2.0], None]
    file = read(data)
    assert (file.ids, file.texts, file.vectors.tolist()) == (("2",), ("b",), [[1.0, 2.0]])
    assert caplog.messages == ["stdin: 2 texts without a vector left out"]


@pytest.mark.parametrize("form", FORMS)
def test_rows_are_written_in_groups(form: VectorFormat) -> None:
    vectors = np.arange(40_000, dtype=np.float32).reshape(-1, 1)
    data = write(form, vectors, fields=[{"n": row} for row in range(40_000)])
    groups = (
        pq.ParquetFile(io.BytesIO(data)).num_row_groups
        if form is VectorFormat.PARQUET
        else ipc.open_file(data).num_record_batches
    )
    assert groups == 3
    file = read(data)
    assert bits(file.vectors) == bits(vectors)
    assert [one["n"] for one in file.fields] == [*range(40_000)]


@pytest.mark.parametrize(
    ("later", "said"),
    [
        ({"n": 1.5}, "the field 'n' cannot be written as int64"),
        ({"n": "1"}, "the field 'n' cannot be written as int64"),
        ({"n": 1, "m": 2}, "the field 'm' is not among the columns written so far to the parquet file"),
    ],
)
def test_a_later_field_that_does_not_fit(later: dict[str, object], said: str) -> None:
    fields: list[dict[str, object]] = [{"n": 1}] * 17_000 + [later]
    with pytest.raises(InputError, match=said):
        write(VectorFormat.PARQUET, np.ones((len(fields), 1)), fields=fields)


def test_fields_of_no_single_type_are_text() -> None:
    fields: list[dict[str, object]] = [{"n": 1, "o": {"a": [1]}}, {"n": "x", "o": None}]
    assert read(write(VectorFormat.PARQUET, TWO, fields=fields)).fields == (
        {"n": "1", "o": '{"a":[1]}'},
        {"n": "x", "o": None},
    )


def test_half_of_a_surrogate_pair_cannot_be_written() -> None:
    with pytest.raises(InputError, match="the field 'text' cannot be written as string"):
        write(VectorFormat.PARQUET, TWO, ["a", "\ud800"])


# --- files of others ---

LISTS = {
    "list<float>": pa.list_(pa.float32()),
    "list<double>": pa.list_(pa.float64()),
    "list<float16>": pa.list_(pa.float16()),
    "large_list": pa.large_list(pa.float64()),
    "fixed_size_list<float>": pa.list_(pa.float32(), 2),
    "fixed_size_list<double>": pa.list_(pa.float64(), 2),
    "list<int>": pa.list_(pa.int64()),
}


@pytest.mark.parametrize("name", ["embedding", "vector"])
@pytest.mark.parametrize("form", LISTS.values(), ids=LISTS.keys())
def test_every_type_of_lists_holds_vectors(form: pa.DataType, name: str, tmp_path: Path) -> None:
    table = pa.table({"id": ["a", "b", "c"], name: pa.array([TWO[0], None, TWO[1]], form)})
    file = read(table)
    assert (file.ids, file.vectors.tolist(), file.model) == (("a", "c"), TWO, None)
    path = tmp_path / "x.arrow"
    for make in (ipc.new_file, ipc.new_stream):
        with make(path, table.schema) as writer:
            writer.write_table(table, 2)
        assert read(path).vectors.tolist() == TWO


def test_doubles_become_the_nearest_float32() -> None:
    values = [[0.1, 1 + 2**-25, 1e-50]]
    assert bits(read(pa.table({"embedding": values})).vectors) == bits(np.array(values, np.float32))


def test_tensors_of_one_axis_hold_vectors() -> None:
    tensors = pa.ExtensionArray.from_storage(
        pa.fixed_shape_tensor(pa.float32(), [2]), pa.array(TWO, pa.list_(pa.float32(), 2))
    )
    assert read(pa.table({"vector": tensors})).vectors.tolist() == TWO


def test_the_only_lists_of_floats_hold_vectors_and_it_is_told(caplog: pytest.LogCaptureFixture) -> None:
    file = read(pa.table({"id": [7, 8], "text": ["a", "b"], "minilm": TWO, "tags": [[1], [2]]}))
    assert (file.ids, file.texts, file.vectors.tolist()) == (("7", "8"), ("a", "b"), TWO)
    assert file.fields == ({"tags": [1]}, {"tags": [2]})
    assert caplog.messages == [
        "stdin: the lists in column 'minilm' are read as vectors; --field NAME reads texts instead"
    ]


def test_of_two_columns_of_floats_none_is_taken_unless_its_name_says_so() -> None:
    for name, expected in (("other", None), ("embedding", TWO)):
        table = pa.table({"text": ["a", "b"], "box": [[0.5], [0.5]], name: TWO})
        with tempfile.TemporaryDirectory() as folder:
            pq.write_table(table, Path(folder, "x.parquet"))
            (typed,) = opened([Path(folder, "x.parquet")])
            found = as_vectors(typed)
            assert (found and read_vectors(found).vectors.tolist()) == expected


def test_a_named_column_is_read_as_texts(tmp_path: Path) -> None:
    pq.write_table(pa.table({"title": ["a", "b"], "embedding": TWO}), tmp_path / "x.parquet")
    (typed,) = opened([tmp_path / "x.parquet"])
    assert as_vectors(typed, fields=["title"]) is None
    # It is meant for another file.
    assert as_vectors(typed, ["name"]) is typed


def test_what_belongs_to_vectors() -> None:
    file = read(
        pa.table(
            {
                "id": pa.array([None, 2**60], pa.int64()),
                "text": pa.array(["a", None], pa.large_string()),
                "model": ["m@1", "m@1"],
                "n": pa.array([1, 2], pa.int8()),
                "embedding": TWO,
            }
        )
    )
    assert (file.ids, file.texts, file.model) == (("1", str(2**60)), ("a", None), "m@1")
    assert file.fields == ({"n": 1}, {"n": 2})


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"embedding": [[1.0, 2.0], [1.0]]}, "item 2 has 1 dimensions, others have 2"),
        ({"embedding": [[1.0], []]}, "item 2 has an empty embedding"),
        ({"embedding": [[1.0], [None]]}, "holds a vector with a null among its numbers"),
        ({"embedding": [[1.0], [float("inf")]]}, "item 2 has a value that is not a finite float32"),
        ({"embedding": [None, [1e300]]}, "item 2 has a value that is not a finite float32"),
        ({"embedding": [[1.0]], "id": [1.5]}, 'has an "id" that is double, not a string'),
        ({"embedding": [[1.0]], "text": [1]}, 'has a "text" that is int64, not a string'),
    ],
)
def test_what_is_wrong_is_told(columns: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        read(pa.table(columns))


def test_two_models_in_one_file() -> None:
    with pytest.raises(ModelMismatch, match="holds vectors of a and b"):
        read(pa.table({"model": ["a", "b"], "embedding": TWO}))


def test_lengths_are_held_against_rows_that_were_read_before() -> None:
    table = pa.table({"embedding": [[1.0, 2.0]] * 5000 + [[1.0]]})
    with pytest.raises(InputError, match="item 5001 has 1 dimensions, others have 2"):
        read(table)


@pytest.mark.parametrize("count", [0, 3, 5000])
def test_rows_that_are_all_null(count: int, caplog: pytest.LogCaptureFixture) -> None:
    file = read(pa.table({"embedding": pa.nulls(count, pa.list_(pa.float32()))}))
    assert (len(file), file.dimensions) == (0, None)
    assert len(caplog.messages) == (count > 0)


def test_nulls_before_the_first_vector_of_a_stream(tmp_path: Path) -> None:
    table = pa.table({"embedding": pa.chunked_array([pa.nulls(2, pa.list_(pa.float32())), [[1.0]]])})
    with ipc.new_stream(tmp_path / "x.arrow", table.schema) as writer:
        writer.write_table(table, 1)
    file = read(tmp_path / "x.arrow")
    assert (file.ids, file.vectors.tolist()) == (("3",), [[1.0]])


@pytest.mark.parametrize("embedding", [["[1,0]", "[0,1]"], [None, "[1, 0]"], [["1", "0"], ["0", "1"]]])
def test_vectors_that_are_written_as_strings_are_refused(tmp_path: Path, embedding: list[Any]) -> None:
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"text": ["a", "b"], "embedding": embedding}), path)
    with pytest.raises(InputError, match="column 'embedding' holds vectors that are not lists of numbers"):
        holds_vectors(Source(str(path)))
    assert not holds_vectors(Source(str(path)), ["text"])


def test_a_column_with_the_name_of_vectors_may_hold_words(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    for words in (["word2vec", "bge"], [None, None]):
        pq.write_table(pa.table({"text": ["a", "b"], "embedding": pa.array(words, pa.string())}), path)
        assert not holds_vectors(Source(str(path)))

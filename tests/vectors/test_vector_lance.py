"""Vectors in Lance datasets: what is written is read back, and rows are replaced by their ids."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import lance
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pyarrow import feather
from support.reading import opened

from simil.errors import InputError, ModelMismatch, UsageError
from simil.formats.sources import Source
from simil.index.index_building import optimize
from simil.vectors import VectorBatch, VectorFile
from simil.vectors.arrow_form import read_arrow
from simil.vectors.dataset_locks import being_written
from simil.vectors.embedding_facts import EmbeddingFacts
from simil.vectors.lance_form import (
    commit_fragments,
    dataset_to_append,
    open_lance_writer,
    read_lance,
    write_fragments,
)
from simil.vectors.sniff import as_vectors
from simil.vectors.stored_texts import StoredTexts
from simil.vectors.stored_vectors import StoredVectors

MODEL = "org/model@1234"
SYMMETRIC = EmbeddingFacts("symmetric", normalized=True)

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
number = st.floats(width=32, allow_nan=False, allow_infinity=False)


def batch(
    ids: Sequence[str],
    vectors: Any = None,
    texts: Sequence[str | None] | None = None,
    fields: Sequence[Mapping[str, object]] | None = None,
) -> VectorBatch:
    """Rows whose texts are by default "text of ID", and whose vectors are made of their ids."""
    if vectors is None:
        vectors = [[1.0, len(name), hash(name) % 97] for name in ids]
    return VectorBatch(
        ids,
        [f"text of {name}" for name in ids] if texts is None else texts,
        [{} for _ in ids] if fields is None else fields,
        np.array(vectors, np.float32),
    )


def write(
    path: Path,
    *batches: VectorBatch,
    append: bool = False,
    model: str | None = MODEL,
    facts: EmbeddingFacts | None = SYMMETRIC,
    types: Mapping[str, Any] | None = None,
) -> None:
    with open_lance_writer(str(path), model, types, facts, append=append) as writer:
        for one in batches:
            writer.write(one)


def read(path: Path) -> VectorFile:
    (typed,) = opened([path])
    found = as_vectors(typed)
    assert found is not None
    return read_lance(found.source)


def rows(path: Path) -> dict[str, tuple[str | None, list[int]]]:
    """The text and the bits of the vector of each id."""
    file = read(path)
    assert len({*file.ids}) == len(file.ids)
    bits = file.vectors.view(np.uint32).tolist()
    return dict(zip(file.ids, zip(file.texts, bits, strict=True), strict=True))


# --- appended ---


@st.composite
def tables(draw: st.DrawFn) -> dict[str, tuple[str, Any]]:
    """Some rows by their ids: text and vector."""
    row = st.tuples(text, arrays(np.float32, 3, elements=number))
    return draw(st.dictionaries(st.sampled_from("abcdefgh\x00\né"), row, max_size=6))


@settings(max_examples=10)
@given(parts=st.lists(tables(), min_size=1, max_size=3))
def test_appending_is_what_updating_a_dict_is(parts: list[dict[str, tuple[str, Any]]]) -> None:
    expected: dict[str, tuple[str, list[int]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "x.lance")
        for part in parts:
            texts = [content for content, _ in part.values()]
            vectors = np.array([vector for _, vector in part.values()], np.float32).reshape(-1, 3)
            write(path, batch([*part], vectors, texts), append=True)
            expected |= {
                name: (content, vector.view(np.uint32).tolist()) for name, (content, vector) in part.items()
            }
        assert rows(path) == expected


def test_a_commit_is_one_version_and_readers_of_the_old_one_see_it_whole(tmp_path: Path) -> None:
    path = tmp_path / "x.lance"
    write(path, batch(["a", "b"]))
    before = StoredVectors.open(str(path))
    write(path, batch(["b", "c"]), batch(["d"]), append=True)
    write(path, batch(["new"]))

    assert [version["version"] for version in lance.dataset(path).versions()] == [1, 2, 3]
    (block,) = before.blocks()
    assert before.take(block[0]).ids == ("a", "b")
    assert [*rows(path)] == ["new"]


@pytest.mark.parametrize(
    ("model", "facts", "vectors", "said"),
    [
        ("other", SYMMETRIC, None, "holds vectors of org/model@1234, and these are of other"),
        ("org/model@5678", SYMMETRIC, None, "of org/model@1234, and these are of org/model@5678"),
        (None, SYMMETRIC, None, "and these are of no known model"),
        (MODEL, EmbeddingFacts("query", normalized=True), None, "these are of query texts, normalized"),
        (MODEL, EmbeddingFacts("symmetric", normalized=False), None, "symmetric texts, not normalized"),
        (MODEL, SYMMETRIC, [[1, 2, 3, 4]], "of 3 dimensions, and these have 4; pass --dimensions 3"),
        (MODEL, SYMMETRIC, [[1, 2]], "of 3 dimensions, and these have 2; write them to another"),
    ],
)
def test_vectors_that_were_made_otherwise_are_refused(
    tmp_path: Path, model: str | None, facts: EmbeddingFacts, vectors: Any, said: str
) -> None:
    path = tmp_path / "x.lance"
    write(path, batch(["a"]))
    with pytest.raises(ModelMismatch, match=said):
        write(path, batch(["b"], vectors), append=True, model=model, facts=facts)
    assert [*rows(path)] == ["a"]


def test_an_id_that_comes_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.lance"
    with pytest.raises(InputError, match="the id 'a' is that of two rows"):
        write(path, batch(["a", "b"]), batch(["a"]), append=True)
    assert not path.exists()
    write(path, batch(["a"]))
    with pytest.raises(InputError, match="the id 'b' is that of two rows"):
        write(path, batch(["b", "c", "b"]), append=True)
    assert [*rows(path)] == ["a"]
    assert len([*(path / "data").iterdir()]) == 1


def test_fields_of_further_rows(tmp_path: Path) -> None:
    path = tmp_path / "x.lance"
    types = {"tags": pa.list_(pa.string()), "at": pa.struct([("x", pa.int32()), ("y", pa.float64())])}
    first = [{"n": 1, "s": "one", "tags": ["a", None], "at": {"x": 1, "y": None}}, {"n": None, "s": None}]
    write(path, batch(["a", "b"], fields=first), types=types)
    write(path, batch(["c", "d"], fields=[{"s": {"k": [1]}}, {"tags": [], "at": None}]), append=True)

    whole = {"n": None, "s": None, "tags": None, "at": None}
    assert read(path).fields == (
        first[0],
        whole,
        {**whole, "s": '{"k":[1]}'},
        {**whole, "tags": []},
    )
    with pytest.raises(InputError, match="the field 'new' is not a column of the dataset"):
        write(path, batch(["e"], fields=[{"new": 1}]), append=True)
    with pytest.raises(InputError, match="the field 'n' cannot be written as int64"):
        write(path, batch(["e"], fields=[{"n": "five"}]), append=True)
    with pytest.raises(InputError, match=r"the field 'n' cannot be written as int64: 2\.5 would not be kept"):
        write(path, batch(["e"], fields=[{"n": 2.5}]), append=True)
    with pytest.raises(InputError, match="the field 'at' cannot be written as struct"):
        write(path, batch(["e"], fields=[{"at": {"x": 1, "z": 2}}]), append=True)
    assert read(path).ids == ("a", "b", "c", "d")


# Arrow's types that Lance does not have, and values that come back as they are.
TYPES = {
    "view": pa.array([[1], None], pa.list_view(pa.int64())),
    "pairs": pa.array([["a", "b"], None], pa.list_(pa.string(), 2)),
    "deep": pa.array([{"x": [{"y": [[1.5], None]}]}, None]),
    "map": pa.array([[("k", [1])], None], pa.map_(pa.string(), pa.list_view(pa.int64()))),
    "runs": pa.RunEndEncodedArray.from_arrays(pa.array([1, 2], pa.int32()), pa.array(["x", "y"])),
    "dictionary": pa.array(["a", None]).dictionary_encode(),
    "bytes": pa.array([b"\x00\xff", None]),
    "decimal": pa.array([Decimal("1.20"), None], pa.decimal256(50, 2)),
    "late": pa.array([2**62, None], pa.timestamp("ns", "UTC")),
    "none": pa.nulls(2),
    "UPPER": pa.array([1, None]),
    "upper": pa.array([2, None]),
    "a b\n\x1b": pa.array([3, None]),
}


def test_types_and_names_of_columns(tmp_path: Path) -> None:
    table = pa.table({"id": ["1", "2"], "embedding": [[1.0, 2.0], [3.0, 4.0]], **TYPES})
    feather.write_feather(table, tmp_path / "x.arrow", compression="uncompressed")
    (typed,) = opened([tmp_path / "x.arrow"])
    source = read_arrow(typed.source)
    path = tmp_path / "x.lance"
    types = {name: table.schema.field(name).type for name in TYPES}
    write(path, source.batch(0, 2), types=types, model=None)
    write(path, source.batch(1, 2), append=True, model=None)
    assert read(path).fields == source.fields


@pytest.mark.parametrize("name", ["", "a.b", "a`b", "_rowid"])
def test_names_that_lance_does_not_have(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="cannot be a column of a Lance dataset; rename it"):
        write(tmp_path / "x.lance", batch(["a"], fields=[{name: 1}]))
    assert not (tmp_path / "x.lance").exists()


@pytest.mark.parametrize(
    "form",
    [pa.month_day_nano_interval(), pa.list_(pa.struct([])), pa.dense_union([pa.field("x", pa.int8())])],
)
def test_types_that_lance_does_not_have(tmp_path: Path, form: Any) -> None:
    with pytest.raises(InputError, match="which a Lance dataset cannot hold"):
        write(tmp_path / "x.lance", batch(["a"], fields=[{"f": None}]), types={"f": form})


def test_texts_that_failed_are_null_and_stay_so(tmp_path: Path) -> None:
    path = tmp_path / "x.lance"
    write(path, batch(["a", "b"], [[1, 2], [np.nan, np.nan]]))
    write(path, batch(["c"], np.empty((1, 0))), append=True)
    dataset = lance.dataset(path)
    assert dataset.to_table(columns=["embedding"])["embedding"].null_count == 2
    assert dataset.to_table(columns=["text_hash"])["text_hash"].null_count == 2
    assert read(path).ids == ("a",)
    assert StoredVectors.open(str(path)).count == 1


def test_a_dataset_without_rows_is_filled_later(tmp_path: Path) -> None:
    path = tmp_path / "x.lance"
    write(path)
    assert len(read(path)) == 0
    write(path, batch(["a"]), append=True)
    write(path, append=True)
    assert [*rows(path)] == ["a"]


def test_columns_called_as_ours_are(tmp_path: Path) -> None:
    path = tmp_path / "x.lance"
    fields = [{"id": 7, "text_hash": "mine", "embedding": "no", "_x": 1}]
    write(path, batch(["a"], fields=fields))
    write(path, batch(["b"], fields=fields), append=True)
    assert read(path).fields == (*fields, *fields)


def test_many_processes_append_at_once(tmp_path: Path) -> None:
    path = tmp_path / "x.lance"

    def add(number: int) -> None:
        write(path, batch([str(number), "shared"], [[number], [number]]), append=True)

    with ThreadPoolExecutor(4) as pool:
        [*pool.map(add, range(8))]
    found = rows(path)
    assert {*found} == {*map(str, range(8)), "shared"}


def test_a_change_of_the_columns_meanwhile_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.lance"
    write(path, batch(["a"]))
    with (
        pytest.raises(InputError, match="was meanwhile overwritten by another process; try again"),
        open_lance_writer(str(path), MODEL, facts=SYMMETRIC, append=True) as writer,
    ):
        writer.write(batch(["b"]))
        write(path, batch(["c"], fields=[{"new": 1}]))
    assert [*rows(path)] == ["c"]


# --- not embedded again ---


def test_vectors_of_texts_are_found(tmp_path: Path) -> None:
    path = tmp_path / "x.lance"
    write(path, batch(["a", "b", "c"], [[1, 2], [3, 4], [np.nan, np.nan]], ["one", "two", "failed"]))
    stored = dataset_to_append(str(path))
    assert stored is not None
    places, vectors = StoredTexts(stored).find(["new", "two", "failed", "one", "two"])
    assert places == [1, 3, 4]
    np.testing.assert_array_equal(vectors, [[3, 4], [1, 2], [3, 4]])


def test_a_text_with_the_hash_of_another_is_not_found(tmp_path: Path) -> None:
    path = tmp_path / "x.lance"
    write(path, batch(["a"], texts=["one"]))
    lance.dataset(path).update({"text": "'another'"})
    stored = dataset_to_append(str(path))
    assert stored is not None
    assert StoredTexts(stored).find(["one", "another"])[0] == []


def test_nobody_knows_how_vectors_of_files_were_made(tmp_path: Path) -> None:
    path = tmp_path / "x.lance"
    write(path, batch(["a"], texts=["one"]), facts=None)
    stored = dataset_to_append(str(path))
    assert stored is not None and stored.facts is None
    write(path, batch(["b"], texts=["two"]), append=True)
    assert StoredTexts(StoredVectors.open(str(path))).find(["one", "two"])[0] == []


# --- other programs ---


def test_lancedb_opens_it(tmp_path: Path) -> None:
    import lancedb

    write(tmp_path / "corpus.lance", batch(["a", "b"], [[1, 0], [0, 1]], fields=[{"n": 1}, {"n": 2}]))
    table = lancedb.connect(tmp_path).open_table("corpus")
    (found,) = table.search([0.0, 1.0]).where("n > 0").limit(1).to_list()
    assert (found["id"], found["text"], found["n"]) == ("b", "text of b", 2)


def test_a_table_of_lancedb(tmp_path: Path) -> None:
    import lancedb

    made = [
        {"vector": [1.0, 2.0], "title": "x", "year": 20},
        {"vector": [3.0, 4.0], "title": "y", "year": 1},
    ]
    lancedb.connect(tmp_path).create_table("theirs", made)
    path = tmp_path / "theirs.lance"
    file = read(path)
    assert file.ids == ("1", "2")
    assert file.texts == (None, None)
    assert file.fields == ({"title": "x", "year": 20}, {"title": "y", "year": 1})
    np.testing.assert_array_equal(file.vectors, [[1, 2], [3, 4]])
    with pytest.raises(InputError, match="was not written by simil, so no rows can be added"):
        write(path, batch(["a"]), append=True)


def test_columns_that_others_add_and_rows_that_they_remove(tmp_path: Path) -> None:
    path = tmp_path / "x.lance"
    write(path, batch(["a", "b", "c"]))
    dataset = lance.dataset(path)
    dataset.add_columns({"size": "length(text)"})
    dataset.delete("id = 'b'")
    write(path, batch(["d"], fields=[{"size": 3}]), batch(["a"]), append=True)
    assert dict(zip(read(path).ids, read(path).fields, strict=True)) == {
        "c": {"size": 9},
        "d": {"size": 3},
        "a": {"size": None},
    }


# --- fragments of several machines ---


def test_fragments_are_seen_once_they_are_committed(tmp_path: Path) -> None:
    path = str(tmp_path / "x.lance")
    schema = pa.schema([("id", pa.string()), ("embedding", pa.list_(pa.float32(), 2))], {"simil.model": "m"})

    def table(name: str) -> pa.Table:
        return pa.table([[name], [[1.0, 2.0]]], schema=schema)

    with ThreadPoolExecutor(3) as pool:
        written = [
            one for many in pool.map(lambda name: write_fragments(path, table(name)), "abc") for one in many
        ]
    with pytest.raises(InputError, match="there is no Lance dataset"):
        StoredVectors.open(path)
    commit_fragments(path, schema, written, append=False)
    commit_fragments(path, schema, write_fragments(path, table("d"), append=True), append=True)
    stored = StoredVectors.open(path)
    assert (stored.count, stored.dimensions, stored.model) == (4, 2, "m")
    assert sorted(read(Path(path)).ids) == [*"abcd"]


# --- where no dataset can be written ---


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("none/x.lance", "cannot be written: No such file or directory; check -o"),
        ("file.lance", "is a file; remove it, or name another"),
        ("file.lance/x.lance", "cannot be written: (Not a|No such file or) directory; check -o"),
        ("folder", "is a folder with other contents; name another"),
        ("link.lance", "is a link to nothing; remove it, or name another"),
    ],
)
def test_where_no_dataset_can_be_written(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "file.lance").write_text("mine")
    (tmp_path / "link.lance").symlink_to(tmp_path / "nothing")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "mine").write_text("mine")
    with pytest.raises(UsageError, match=said):
        write(tmp_path / name, batch(["a"]))
    assert (tmp_path / "file.lance").read_text() == (tmp_path / "folder" / "mine").read_text() == "mine"


@pytest.mark.parametrize("name", ["x.LANCE", "x.lance/", "link.lance", "empty"])
def test_names_of_datasets(tmp_path: Path, name: str) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "empty").mkdir()
    (tmp_path / "link.lance").symlink_to(tmp_path / "there")
    path = os.path.join(tmp_path, name)  # noqa: PTH118 (a Path has no slash at its end)
    for append in (False, True):
        with open_lance_writer(path, MODEL, append=append) as writer:
            writer.write(batch(["a"]))
    assert read_lance(Source(path)).ids == ("a",)


def test_a_run_that_fails_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x.lance"

    class Failed(Exception):
        pass

    with pytest.raises(Failed), open_lance_writer(str(path), MODEL) as writer:
        for number in range(40):  # More than one table.
            writer.write(batch([str(row) for row in range(1000 * number, 1000 * number + 1000)]))
        raise Failed
    assert not path.exists()


# --- leftovers ---


def test_what_is_not_committed_stays_while_somebody_writes(tmp_path: Path) -> None:
    path = tmp_path / "x.lance"
    write(path, batch(["a"]))
    write_fragments(str(path), lance.dataset(path).to_table(), append=True)

    def clean() -> set[str]:
        """Remove what may be removed, and return the files that are left and that no version has."""
        optimize(StoredVectors.open(str(path)), kept_for=timedelta(0))
        tracked = lance.dataset(path).tracked_files().read_all()["path"].to_pylist()
        return {f"data/{file.name}" for file in (path / "data").iterdir()} - {*tracked}

    with being_written(str(path)):
        assert len(clean()) == 1
    with open_lance_writer(str(path), MODEL, facts=SYMMETRIC, append=True) as writer:
        for start in (0, 20_000):
            writer.write(batch([str(row) for row in range(start, start + 20_000)]))
            clean()
    assert len(rows(path)) == 40_001
    assert clean() == set()

"""The database in which `llm` keeps embeddings, with the tables that it makes."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simil.errors import InputError
from simil.formats.detection import typed
from simil.formats.record_stream import FormatOptions
from simil.formats.sources import Source
from simil.vectors import VectorFile
from simil.vectors.sniff import as_vectors
from simil.vectors.vector_files import read_vectors

SCHEMA = """
CREATE TABLE [_llm_migrations] ([name] TEXT PRIMARY KEY, [applied_at] TEXT);
CREATE TABLE [collections] ([id] INTEGER PRIMARY KEY, [name] TEXT, [model] TEXT);
CREATE UNIQUE INDEX [idx_collections_name] ON [collections] ([name]);
CREATE TABLE "embeddings" (
   [collection_id] INTEGER REFERENCES [collections]([id]),
   [id] TEXT,
   [embedding] BLOB,
   [content] TEXT,
   [content_blob] BLOB,
   [content_hash] BLOB,
   [metadata] TEXT,
   [updated] INTEGER,
   PRIMARY KEY ([collection_id], [id])
);
"""
INSERT = "insert into embeddings (collection_id, id, embedding, content, metadata) values (?, ?, ?, ?, ?)"
TWO = {
    "docs": [("a", [1, 0], "A", None), ("b", [0, 1], None, '{"n": 1}')],
    "other": [("c", [1, 1], "C", None)],
}
Rows = Sequence[tuple[Any, Any, str | None, str | None]]


def write(path: Path, collections: Mapping[str, Rows]) -> Path:
    with closing(sqlite3.connect(path)) as database:
        database.executescript(SCHEMA)
        for number, (name, rows) in enumerate(collections.items(), 1):
            database.execute("insert into collections values (?, ?, ?)", (number, name, f"model-{number}"))
            for id_, vector, text, metadata in rows:
                blob = vector if isinstance(vector, bytes | None) else np.array(vector, "<f4").tobytes()
                database.execute(INSERT, (number, id_, blob, text, metadata))
        database.commit()
    return path


def read(path: object, collection: str | None = None) -> VectorFile:
    found = as_vectors(typed(Source(str(path))))
    assert found is not None
    assert found.format.name == "sqlite"
    return read_vectors(found, FormatOptions(collection=collection))


def fault(path: Path, collection: str | None = None) -> InputError:
    with pytest.raises(InputError) as caught:
        read(path, collection)
    return caught.value


def test_the_only_collection(tmp_path: Path) -> None:
    path = write(tmp_path / "embeddings.db", {"docs": TWO["docs"]})
    file = read(path)
    assert (file.ids, file.texts, file.model) == (("a", "b"), ("A", None), "model-1")
    assert (file.fields, file.vectors.tolist()) == (({}, {"n": 1}), [[1, 0], [0, 1]])


def test_a_collection_by_name(tmp_path: Path) -> None:
    path = write(tmp_path / "x.txt", TWO)
    file = read(path, "other")
    assert (file.ids, file.texts, file.model) == (("c",), ("C",), "model-2")
    error = fault(path)
    assert error.message == "has 2 collections: 'docs', 'other'"
    assert error.hint == "name one with --collection"
    assert fault(path, "more").message == "has no collection 'more': 'docs', 'other'"


def test_nothing_is_written_beside_it(tmp_path: Path) -> None:
    path = write(tmp_path / "x.db", {"docs": TWO["docs"]})
    with closing(sqlite3.connect(path)) as database:
        database.execute("pragma journal_mode = wal")
    before = path.read_bytes()
    tmp_path.chmod(0o500)
    try:
        assert read(path).ids == ("a", "b")
    finally:
        tmp_path.chmod(0o700)
    assert [each.name for each in tmp_path.iterdir()] == ["x.db"]
    assert path.read_bytes() == before


def test_what_another_program_has_just_written_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "x.db", {"docs": TWO["docs"]})
    with closing(sqlite3.connect(path)) as database:
        database.execute("pragma journal_mode = wal")
        database.execute("delete from embeddings where id = 'a'")
        database.commit()
        files = sorted(each.name for each in tmp_path.iterdir())
        assert read(path).ids == ("b",)
        assert sorted(each.name for each in tmp_path.iterdir()) == files


@pytest.mark.parametrize("through", ["pipe", "descriptor", "stdin"])
def test_pipes_and_descriptors(tmp_path: Path, through: str) -> None:
    path = write(tmp_path / "x.db", {"docs": TWO["docs"]})
    if through == "descriptor":
        with path.open("rb") as stream:
            assert read(f"/dev/fd/{stream.fileno()}").ids == ("a", "b")
        return
    if through == "stdin":
        with path.open("rb", buffering=0) as stream:
            found = as_vectors(typed(Source("-", stream)))
            assert found is not None
            assert read_vectors(found).ids == ("a", "b")
        return
    reading, writing = os.pipe()

    def send() -> None:
        with os.fdopen(writing, "wb") as stream:
            stream.write(path.read_bytes())

    thread = threading.Thread(target=send)
    thread.start()
    try:
        assert read(f"/dev/fd/{reading}").ids == ("a", "b")
    finally:
        thread.join()
        os.close(reading)


def test_a_name_that_an_address_would_misread(tmp_path: Path) -> None:
    path = write(tmp_path / "a?b#c%20 é.db", {"docs": TWO["docs"]})
    assert read(path).ids == ("a", "b")
    other = os.fsencode(path).replace("é".encode(), b"\xe9")
    os.rename(path, other)  # noqa: PTH104 - bytes
    assert read(os.fsdecode(other)).ids == ("a", "b")


text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(
    rows=st.dictionaries(
        text, st.tuples(text, st.lists(st.floats(width=32), min_size=2, max_size=2)), max_size=4
    )
)
def test_ids_and_texts_of_every_kind(rows: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> None:
    finite = {id_: row for id_, row in rows.items() if np.isfinite(row[1]).all()}
    written = [(id_, vector, content, None) for id_, (content, vector) in finite.items()]
    file = read(write(tmp_path_factory.mktemp("llm") / "x.db", {"docs": written}))
    assert file.ids == tuple(finite)
    assert file.texts == tuple(content for content, _ in finite.values())
    expected = np.array([vector for _, vector in finite.values()], np.float32)
    assert file.vectors.view(np.uint32).tolist() == expected.view(np.uint32).tolist()


def test_metadata_that_is_no_object(tmp_path: Path) -> None:
    rows = [("a", [1], None, "[1]"), ("b", [1], None, "oops"), ("c", [1], None, "")]
    assert read(write(tmp_path / "x.db", {"docs": rows})).fields == (
        {"metadata": [1]},
        {"metadata": "oops"},
        {},
    )


def test_rows_without_an_embedding_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write(tmp_path / "x.db", {"docs": [("a", None, "A", None), *TWO["docs"][1:]]})
    assert read(path).ids == ("b",)
    assert caplog.messages == [f"{path}: 1 text without a vector left out"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("a", [1], None, None), ("b", [1, 2], None, None)], "item 2 has 2 dimensions, those before have 1"),
        ([("a", b"abc", None, None)], "item 1 has an embedding that is not a whole number of float32 values"),
        ([("a", b"", None, None)], "item 1 has an embedding that is not a whole number of float32 values"),
        ([("a", [1], None, None), ("b", [np.inf], None, None)], "item 2 has a value that is not a finite"),
        ([(None, [1], None, None)], 'item 1 has an "id" that is null'),
    ],
)
def test_faults_of_rows(tmp_path: Path, rows: Rows, message: str) -> None:
    error = fault(write(tmp_path / "x.db", {"docs": rows}))
    assert error.message.startswith(message)
    assert error.place is not None


def test_other_databases(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("create table embeddings (id text, embedding blob)")
        database.execute("create table notes (id text)")
    error = fault(path)
    assert (
        error.message
        == "is an SQLite database, but not one that llm wrote; its tables: 'embeddings', 'notes'"
    )
    assert "sqlite3 -csv" in error.hint
    assert fault(write(tmp_path / "empty.db", {})).message == "has no collection of embeddings"
    path.write_bytes(path.read_bytes()[:100])
    assert fault(path).message.startswith("cannot be read as an SQLite database: ")

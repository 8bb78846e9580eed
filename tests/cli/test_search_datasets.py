"""`simil search` prints for a Lance dataset what it prints for the same vectors in a file."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import lance
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.command import shell, simil

from simil.index.recall import measure_recall
from simil.vectors.stored_vectors import StoredVectors

TEXTS = """an apple
a pear tree in the garden
the sea at night
a small boat on the sea
a red car
the garden of a house
apple juice
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same texts and vectors as rows of a Parquet file and of a dataset, without lengths of 1."""
    found = tmp_path_factory.mktemp("datasets")
    found.joinpath("t.txt").write_text(TEXTS, "utf-8")
    found.joinpath("q.txt").write_text("fruit\nwater\n", "utf-8")
    result = shell(
        "simil embed -m minilm -q --no-normalize t.txt -o v.parquet && simil embed v.parquet -q -o v.lance"
        " && simil embed -m minilm -q q.txt -o q.lance",
        cwd=found,
    )
    assert (result.code, result.err) == (0, "")
    return found


@pytest.mark.parametrize(
    "options",
    [
        ["fruit", "-f", "json"],
        ["fruit", "-k", "99", "-f", "jsonl"],
        ["fruit", "--threshold", "0.3", "-f", "csv", "-C", "1"],
        ["--queries", "q.txt", "-k", "2"],
        ["--queries", "q.lance", "--threshold", "0.4", "-k", "1", "-f", "jsonl"],
        ["-c", "--queries", "q.lance", "--threshold", "0.2"],
        ["--dimensions", "64", "--exact", "-m", "minilm", "water", "-f", "json", "-q"],
        ["--threshold", "0.9", "water"],
    ],
    ids=" ".join,
)
def test_output_is_that_of_the_same_vectors_in_a_file(options: Sequence[str], folder: Path) -> None:
    of_file, of_dataset = (simil("search", *options, name, cwd=folder) for name in ("v.parquet", "v.lance"))

    assert of_dataset.out == of_file.out.replace("v.parquet", "v.lance")
    assert (of_dataset.err, of_dataset.code) == (of_file.err, of_file.code)


def test_the_model_that_made_the_vectors_embeds_the_query(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SIMIL_MODEL")
    result = simil("search", "--offline", "juice", "v.lance", "-k", "1", cwd=folder)

    assert (result.err, result.code) == ("", 0)
    assert result.out.endswith("\t7\tapple juice\n")


def test_columns_of_a_dataset_keep_their_types(folder: Path, tmp_path: Path) -> None:
    import lancedb

    vectors = pa.array(np.eye(3, dtype=np.float32).tolist(), pa.list_(pa.float32(), 3))
    table = pa.table(
        {"id": ["a", "b", "c"], "day": pa.array([1, 2, 3], pa.date32()), "n": pa.array([7, 8, 9], pa.int16())}
    )
    lancedb.connect(tmp_path).create_table("days", table.append_column("vector", vectors))
    tmp_path.joinpath("q.jsonl").write_text('{"id":"q","embedding":[3,2,1]}\n')
    result = simil(
        "search", "--queries", "q.jsonl", "days.lance", "-k", "2", "--where", "n < 9", "-o", "o.parquet",
        cwd=tmp_path,
    )  # fmt: skip

    assert (result.err, result.code) == ("", 0)
    found = pq.read_table(tmp_path / "o.parquet")
    assert found["id"].to_pylist() == ["a", "b"]
    assert [found.schema.field(name).type for name in ("day", "n")] == [pa.date32(), pa.int16()]


def test_a_condition_is_checked_before_a_model_is_opened(folder: Path) -> None:
    result = simil("search", "-m", "./no-such-model", "fruit", "v.lance", "--where", "yer > 1", cwd=folder)

    assert (result.code, result.out) == (2, "")
    assert result.error_line == "v.lance has no column 'yer', which --where names; it has id, text, embedding"


@pytest.mark.parametrize("value", ["$1", ":year", "?"])
def test_a_condition_leaves_no_value_open(value: str, folder: Path) -> None:
    """Lance panics at one, with a stack on stderr."""
    result = simil("search", "juice", "v.lance", "--where", f"id = {value}", cwd=folder)

    assert (result.code, result.out) == (2, "")
    assert result.error_line == (
        f"--where 'id = {value}' leaves a value open: {value}; write it out, such as \"year > 2020\""
    )


@pytest.mark.parametrize("where", ["id = '7' -- what? :) $1", "id /* ?) ' */ = '7'", "id::int = 7"])
def test_what_a_condition_says_of_itself_is_not_read(where: str, folder: Path) -> None:
    result = simil("search", "juice", "v.lance", "--where", where, cwd=folder)

    assert (result.err, result.code) == ("", 0)
    assert result.out.endswith("\t7\tapple juice\n")


@pytest.mark.parametrize("options", [[], ["--words"]])
def test_a_condition_that_rows_cannot_be_asked_is_named(options: Sequence[str], folder: Path) -> None:
    where = "cast(text as int) > 1"
    result = simil("search", *options, "juice", "v.lance", "--where", where, cwd=folder)

    assert (result.code, result.out) == (3, "")
    assert f"v.lance: is not one of which --where {where!r} can be asked: " in result.error_line


def test_a_folder_of_parquet_files_is_searched_as_one_table(folder: Path, tmp_path: Path) -> None:
    """As any other command reads it."""
    table = pq.read_table(folder / "v.parquet")
    (tmp_path / "parts").mkdir()
    pq.write_table(table.slice(0, 3), tmp_path / "parts" / "0.parquet")
    pq.write_table(table.slice(3), tmp_path / "parts" / "1.parquet")
    result = simil("search", "juice", "parts", "-k", "1", "-f", "json", cwd=tmp_path)

    assert (result.err, result.code) == ("", 0)
    assert json.loads(result.out)["data"][0]["content"] == "apple juice"


def test_vectors_that_say_no_model_meet_no_text(tmp_path: Path) -> None:
    shell('echo \'{"id":"a","embedding":[1,0]}\' | simil embed -q -o v.lance', cwd=tmp_path)
    result = simil("search", "a", "v.lance", cwd=tmp_path)

    assert result.code == 3
    assert "does not say which model made them" in result.error_line


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of 600 rows with an index on its vectors."""
    folder = tmp_path_factory.mktemp("indexed")
    vectors = np.random.default_rng(1).standard_normal((600, 16), np.float32)
    table = pa.table({"id": [str(row) for row in range(600)], "even": [row % 2 == 0 for row in range(600)]})
    column = pa.FixedSizeListArray.from_arrays(vectors.reshape(-1), 16)
    lance.write_dataset(table.append_column("embedding", column), folder / "v.lance")
    assert simil("index", "-q", "v.lance", cwd=folder).code == 0
    return folder


def test_recall_is_that_of_the_index(indexed: Path) -> None:
    shown = simil("search", "--recall", "v.lance", "-k", "5", "--where", "even", "-f", "json", cwd=indexed)
    measured = measure_recall(StoredVectors.open(str(indexed / "v.lance")), 5, where="even")
    found = json.loads(shown.out)

    assert shown.code == 0
    assert found["recall"] == measured.recall
    assert 0.5 < found["recall"] <= 1
    assert {name: found[name] for name in ("dataset", "where", "k", "queries", "index")} == {
        "dataset": "v.lance", "where": "even", "k": 5, "queries": measured.queries, "index": measured.kind,
    }  # fmt: skip
    assert found["settings"] == measured.settings
    assert "without --recall, search is exact: it uses the index from 24,000,000 rows on" in shown.error_line


@pytest.mark.parametrize("options", [["--recall"], ["--queries", "v.lance"]])
def test_a_condition_that_fails_is_named_with_an_index(options: Sequence[str], indexed: Path) -> None:
    where = "1 / cast(id as int) > 0"
    result = simil("search", *options, "v.lance", "--where", where, cwd=indexed)

    assert (result.code, result.out) == (3, "")
    assert f"v.lance: is not one of which --where {where!r} can be asked: " in result.error_line


def test_recall_is_shown_with_its_settings(indexed: Path) -> None:
    lines = simil("search", "--recall", "v.lance", "-q", cwd=indexed).out.splitlines()

    assert re.fullmatch(r"recall@10    [01]\.\d{3}", lines[0])
    assert lines[1] == "measured     on 100 rows"
    assert re.fullmatch(r"index        IVF_\w+: 1 partition, \d+ candidates, 1 probe", lines[2])
    assert re.fullmatch(r"time         \S+ ms a query; \S+ ms exact, where many are asked at once", lines[3])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["v.lance", "-k", "3", "--exact"], "so --exact has no effect"),
        (["water", "v.lance"], "--recall is for one Lance dataset"),
        (["v.lance", "--where", "odd"], "has no column 'odd'"),
        (["v.lance", "-f", "csv"], "--recall is written as text or json, not as csv"),
    ],
)
def test_what_recall_cannot_measure_is_refused(options: list[str], said: str, indexed: Path) -> None:
    result = simil("search", "--recall", *options, cwd=indexed)

    assert (result.code, result.out) == (2, "")
    assert said in result.error_line


def test_recall_without_an_index_says_how_to_build_one(folder: Path) -> None:
    result = simil("search", "--recall", "v.lance", cwd=folder)

    assert (result.code, result.out) == (3, "")
    assert result.error_line == "v.lance: has no index on its vectors; run: simil index v.lance"

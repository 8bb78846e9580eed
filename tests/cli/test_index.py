"""`simil index`: what it builds, what it says, and what is there when it is interrupted."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path

import lance
import numpy as np
import pyarrow as pa
import pytest
from support.command import on_terminal, simil, started
from support.s3_server import s3_server

from simil.index.index_description import describe
from simil.vectors.stored_vectors import StoredVectors


def write(path: Path, rows: int, dimensions: int) -> Path:
    vectors = np.random.default_rng(rows).standard_normal((rows, dimensions), np.float32)
    column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), dimensions)
    texts = [f"word{row % 7} of row {row}" for row in range(rows)]
    ids = [f"row {row}" for row in range(rows)]
    lance.write_dataset(pa.table({"id": ids, "text": texts, "embedding": column}), path)
    return path


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset that no test changes."""
    return write(tmp_path_factory.mktemp("index") / "corpus.lance", 600, 16)


@pytest.fixture
def own(corpus: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    shutil.copytree(corpus, tmp_path / "corpus.lance")
    return tmp_path / "corpus.lance"


def indexes(path: Path) -> dict[str, tuple[str, int]]:
    return {one.column: (one.kind, one.rows) for one in describe(StoredVectors.open(str(path)))}


def test_it_builds_what_search_needs_and_says_how(own: Path) -> None:
    done = simil("index", "corpus.lance", cwd=own.parent)

    assert (done.code, done.out) == (0, "")
    assert done.err.splitlines() == [
        "simil: corpus.lance: IVF_RQ on 600 vectors of 16 dimensions: 1 partition, a bit per dimension",
        "simil: search uses the index on vectors from 24,000,000 rows on; with fewer it is exact",
    ]
    assert indexes(own) == {"id": ("BTree", 600), "text": ("Inverted", 600), "embedding": ("IVF_RQ", 600)}

    done = simil("index", "-q", "--kind", "ivf-pq", "--language", "german", str(own))
    assert (done.code, done.out, done.err) == (0, "", "")
    assert indexes(own)["embedding"] == ("IVF_PQ", 600)
    shown = json.loads(simil("index", "info", str(own), "--format", "json").out)
    assert [one["settings"] for one in shown["indexes"] if one["column"] == "text"] == [
        {"language": "german", "stemmed": True, "tokenizer": "icu/split"}
    ]


def test_info_shows_rows_that_are_not_indexed_and_optimize_brings_them_in(own: Path) -> None:
    assert "indexes     none; simil index builds them" in simil("index", "info", str(own)).out
    simil("index", "-q", str(own))
    extra = lance.dataset(str(own)).to_table().slice(0, 50)
    lance.write_dataset(extra, str(own), mode="append")

    shown = simil("index", "info", str(own)).out
    assert "rows        650\n" in shown
    assert "dimensions  16\n" in shown
    assert "model       unknown\n" in shown
    assert "in 2 fragments" in shown
    assert shown.count("; 50 not in it (simil index --optimize)") == 3

    done = simil("index", "--optimize", str(own))
    assert done.code == 0
    assert "2 fragments became 1; 50 rows came into the index" in done.error_line
    assert indexes(own)["embedding"] == ("IVF_RQ", 650)
    facts = json.loads(simil("index", "info", "-f", "json", str(own)).out)
    assert (facts["rows"], facts["dimensions"], facts["model"]) == (650, 16, None)
    assert {one["rows_left"] for one in facts["indexes"]} == {0}


def test_few_rows_are_searched_exactly(tmp_path: Path) -> None:
    write(tmp_path / "few.lance", 20, 8)
    done = simil("index", "few.lance", cwd=tmp_path)

    assert (done.code, done.error_line) == (
        0,
        "few.lance: too few vectors for an index on them (20): search is exact",
    )
    assert indexes(tmp_path / "few.lance") == {"id": ("BTree", 20), "text": ("Inverted", 20)}


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "no dataset is named; for example: simil index corpus.lance"),
        (["info"], 2, "no dataset is named; for example: simil index corpus.lance"),
        (["corpus.lance", "other.lance"], 2, "one dataset at a time; run simil index once for each"),
        (["none.lance"], 3, "none.lance: there is no Lance dataset; name one that simil or Lance wrote"),
        (["./info"], 3, "./info: there is no Lance dataset; name one that simil or Lance wrote"),
        (["--kind", "hnsw", "corpus.lance"], 2, "--kind cannot be 'hnsw'; choose one of ivf-pq, "),
        (["--language", "klingon", "corpus.lance"], 2, "Lance has no stemmer for 'klingon'; --language none"),
        (["--optimize", "--kind", "ivf-pq", "corpus.lance"], 2, "--optimize keeps the indexes as they are"),
        (["-f", "json", "corpus.lance"], 2, "--format is for info; run: simil index info corpus.lance"),
        (["info", "--optimize", "corpus.lance"], 2, "info only shows"),
        (["info", "-f", "csv", "corpus.lance"], 2, "--format cannot be 'csv'; choose one of text, json"),
        (["--offline", "s3://bucket/corpus.lance"], 2, "is an address, and simil is offline (--offline)"),
    ],
)
def test_what_cannot_be_done_is_one_line(corpus: Path, arguments: list[str], code: int, message: str) -> None:
    done = simil("index", *arguments, cwd=corpus.parent)

    assert (done.code, done.out) == (code, "")
    assert message in done.error_line


@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, -9), (signal.SIGINT, 130)])
def test_the_old_index_is_whole_after_an_interruption(own: Path, number: signal.Signals, code: int) -> None:
    simil("index", "-q", str(own))
    before = indexes(own)
    with started("index", "--kind", "ivf-pq", str(own)) as child:
        assert child.process.stderr is not None
        assert b"IVF_PQ on 600 vectors" in child.process.stderr.readline()
        child.signal(number)
        assert child.process.returncode == code

    assert {column: rows for column, (_, rows) in indexes(own).items()} == dict.fromkeys(before, 600)
    assert indexes(own)["embedding"][0] in ("IVF_RQ", "IVF_PQ")
    done = simil("search", "--where", "id = 'row 7'", "-f", "jsonl", "word", str(own))
    assert (done.code, done.err) == (3, done.err)  # No model is known of these vectors.
    assert simil("index", "-q", str(own)).code == 0


def test_a_dataset_in_a_bucket(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with s3_server() as server:
        for name, value in server.env.items():
            monkeypatch.setenv(name, value)
        address = f"s3://{server.new_bucket()}/corpus.lance"
        lance.write_dataset(lance.dataset(str(own)).to_table(), address)

        assert simil("index", "-q", address).code == 0
        shown = json.loads(simil("index", "info", address, "-f", "json").out)
        assert (shown["dataset"], shown["rows"], len(shown["indexes"])) == (address, 600, 3)
        assert shown["bytes"] > 600 * 16 * 4
        assert simil("index", "--optimize", address).error_line == f"{address}: nothing to do"


@pytest.mark.filterwarnings("ignore:lance is not fork-safe")
def test_a_narrow_terminal(own: Path) -> None:
    shown = on_terminal("simil index info corpus.lance", 40, cwd=own.parent)
    assert shown.code == 0
    assert "rows        600" in shown.out

"""Parquet and Arrow through the command line, from and to the programs that people use them with."""

from __future__ import annotations

import datetime as dt
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import feather
from support.command import MINILM, on_terminal, shell, simil

TEXTS = ["apple", "pear, ripe", 'a "quoted" line\r\nand more', "é 🍎\x00\u2028\t", "=1+1"]
WHEN = dt.datetime(2024, 2, 29, 12, 30)
VECTORS = np.array([[3, 4], [-0.0, 1e-45], [0.1, 3.4e38], [1, 1], [1, -1]], np.float32)


def columns() -> dict[str, list[Any]]:
    return {
        "id": [f"r{row}" for row in range(5)],
        "title": TEXTS,
        "n": [1, None, 3, 4, 5],
        "when": [WHEN, None, WHEN, WHEN, WHEN],
    }


def by_pandas(path: Path) -> None:
    import pandas as pd

    frame = pd.DataFrame({**columns(), "embedding": [*VECTORS]})
    frame["n"] = frame["n"].astype("Int32")
    (frame.to_feather if path.suffix == ".feather" else frame.to_parquet)(path)


def by_polars(path: Path) -> None:
    import polars as pl

    frame = pl.DataFrame({**columns(), "embedding": VECTORS}, schema_overrides={"n": pl.Int32})
    (frame.write_ipc if path.suffix == ".feather" else frame.write_parquet)(path)


def by_duckdb(path: Path) -> None:
    import duckdb

    table = pa.table({**columns(), "embedding": [*VECTORS]})
    with duckdb.connect() as database:
        database.register("given", table)
        database.execute(
            'COPY (SELECT id, title, n::INTEGER AS n, "when", embedding::FLOAT[2] AS embedding '
            f"FROM given) TO '{path}' (FORMAT parquet)"
        )


def lines(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.split("\n")[:-1]]


# --- files of other programs ---


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("pandas.parquet", by_pandas),
        ("pandas.feather", by_pandas),
        ("polars.parquet", by_polars),
        ("polars.feather", by_polars),
        ("duckdb.parquet", by_duckdb),
    ],
)
def test_files_of_others_are_read(name: str, make: Any, tmp_path: Path) -> None:
    path = tmp_path / name
    make(path)

    vectors = lines(simil("embed", str(path), "-f", "jsonl", "--no-normalize").out)
    found = np.array([one["embedding"] for one in vectors], np.float32)
    assert found.view(np.uint32).tolist() == VECTORS.view(np.uint32).tolist()
    expected = [f"r{row}" for row in range(5)]
    assert [one["id"] for one in vectors] == expected
    fields = {"title": TEXTS[1], "n": None, "when": None}
    assert vectors[1]["fields"] == fields
    assert vectors[2]["fields"] == {"title": TEXTS[2], "n": 3, "when": "2024-02-29T12:30:00"}

    texts = simil("dedupe", "--exact", "-q", str(path), "--field", "title", "-f", "jsonl")
    assert lines(texts.out) == [
        {"id": f"r{row}", "title": text, "n": n, "when": when and "2024-02-29T12:30:00"}
        for row, (text, n, when) in enumerate(
            zip(*[columns()[key] for key in ("title", "n", "when")], strict=True)
        )
    ]


def test_files_of_datasets_are_read_and_datasets_reads_ours(tmp_path: Path, plugins: None) -> None:
    # In a process of its own: it imports much, and warns of it.
    script = f"""
import datasets, json, sys
datasets.disable_progress_bars()
made = datasets.Dataset.from_dict({{"text": {TEXTS!r}, "n": [1, 2, 3, 4, 5]}})
made.to_parquet("made.parquet")
"""
    check = """
import datasets, json
datasets.disable_progress_bars()
found = datasets.Dataset.from_parquet("ours.parquet", cache_dir="cache")
print(json.dumps([found["text"][:], found["n"][:], found["embedding"][:], str(found.features["embedding"])]))
"""
    tmp_path.joinpath("make.py").write_text(script, "utf-8")
    tmp_path.joinpath("check.py").write_text(check, "utf-8")

    done = shell(
        f"{sys.executable} make.py && simil embed made.parquet -o ours.parquet && {sys.executable} check.py",
        cwd=tmp_path,
        env={"HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"},
    )
    assert done.code == 0, done.err
    texts, numbers, vectors, feature = json.loads(done.out)
    assert (texts, numbers) == (TEXTS, [1, 2, 3, 4, 5])
    assert vectors == pq.read_table(tmp_path / "ours.parquet")["embedding"].to_pylist()
    assert "float32" in feature and "length=8" in feature


# --- files of ours ---


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    """A file of texts whose vectors are saved as `ours.parquet` and `ours.arrow`."""
    rows = [
        {"id": f"r{row}", "text": text, "n": row or None, "tags": ["x"], "ok": row > 2}
        for row, text in enumerate(TEXTS)
    ]
    given = "".join(json.dumps(row) + "\n" for row in rows)
    tmp_path.joinpath("given.jsonl").write_text(given, "utf-8")
    for name in ("ours.parquet", "ours.arrow", "ours.jsonl"):
        done = simil("embed", str(tmp_path / "given.jsonl"), "-o", str(tmp_path / name))
        assert (done.code, done.err) == (0, "")
    return tmp_path


def test_other_programs_read_what_is_written(ours: Path, plugins: None) -> None:
    import duckdb
    import pandas as pd
    import polars as pl

    expected = lines((ours / "ours.jsonl").read_text("utf-8"))
    vectors = np.array([one["embedding"] for one in expected], np.float32)
    for frame in (pd.read_parquet(ours / "ours.parquet"), pd.read_feather(ours / "ours.arrow")):
        assert [*frame["id"]] == [one["id"] for one in expected]
        assert [*frame["text"]] == TEXTS
        assert np.stack(frame["embedding"]).view(np.uint32).tolist() == vectors.view(np.uint32).tolist()
        assert [*frame["ok"]] == [False, False, False, True, True]
    for table in (pl.read_parquet(ours / "ours.parquet"), pl.read_ipc(ours / "ours.arrow")):
        assert table["embedding"].dtype == pl.Array(pl.Float32, vectors.shape[1])
        assert table["embedding"].to_numpy().view(np.uint32).tolist() == vectors.view(np.uint32).tolist()
        assert table["text"].to_list() == TEXTS
        assert table["n"].to_list() == [None, 1, 2, 3, 4]
        assert table["tags"].to_list() == [["x"]] * 5
    with duckdb.connect() as database:
        rows = database.execute(f"SELECT id, text, n, embedding FROM '{ours / 'ours.parquet'}'").fetchall()
    assert [row[:3] for row in rows] == [(f"r{row}", text, row or None) for row, text in enumerate(TEXTS)]
    found = np.array([row[3] for row in rows], np.float32)
    assert found.view(np.uint32).tolist() == vectors.view(np.uint32).tolist()


def test_all_formats_of_vectors_give_the_same(ours: Path) -> None:
    results = {
        name: simil("search", "a fruit", str(ours / name)).out
        for name in ("ours.jsonl", "ours.parquet", "ours.arrow")
    }
    assert len({*results.values()}) == 1
    assert results["ours.parquet"].count("\n") == 5
    piped = shell("cat ours.parquet | simil search 'a fruit'", cwd=ours)
    assert piped.out == results["ours.parquet"]
    back = simil("embed", str(ours / "ours.parquet"), "-f", "jsonl")
    assert back.out == (ours / "ours.jsonl").read_text("utf-8")


def test_a_model_and_its_revision_are_kept(ours: Path) -> None:
    metadata = pq.read_schema(ours / "ours.parquet").metadata
    assert b"@".join((metadata[b"simil.model"], metadata[b"simil.revision"])).decode() == MINILM


# --- commands ---


@pytest.fixture
def table(tmp_path: Path, plugins: None) -> Path:
    path = tmp_path / "given.parquet"
    schema = pa.schema([("id", pa.int32()), ("text", pa.large_string()), ("at", pa.timestamp("ns", "UTC"))])
    when = WHEN.replace(tzinfo=dt.UTC)
    pq.write_table(
        pa.table({"id": [1, 2, 3], "text": ["b", None, "a"], "at": [when] * 3}, schema=schema), path
    )
    return path


@pytest.mark.parametrize("name", ["out.parquet", "out.pq", "out.arrow", "out.feather"])
def test_texts_go_from_table_to_table(name: str, table: Path, tmp_path: Path) -> None:
    done = simil("embed", str(table), "-o", str(tmp_path / name))
    assert done.code == 0
    assert done.error_line == f"1 blank text skipped (first: {table}:2)"
    written = pq.read_table(tmp_path / name) if name[4] == "p" else feather.read_table(tmp_path / name)
    assert written.schema.names == ["id", "text", "at", "embedding"]
    assert written.schema.field("at").type == pa.timestamp("ns", "UTC")
    assert written["text"].to_pylist() == ["b", "a"]


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_a_pipe_gives_and_takes_tables(form: str, table: Path) -> None:
    script = f"cat given.parquet | simil embed -q -f {form} | simil embed -q -f jsonl"
    done = shell(script, cwd=table.parent)
    assert done.code == 0
    assert done.out == simil("embed", "-q", str(table), "-f", "jsonl").out


def test_binary_formats_are_kept_from_a_terminal(table: Path) -> None:
    for form in ("parquet", "arrow"):
        done = on_terminal(f"simil embed given.parquet -f {form}", 80, cwd=table.parent)
        assert done.code == 2
        assert f"{form} is binary and stdout is a terminal" in done.out
        done = on_terminal(f"simil dedupe --exact given.parquet -f {form}", 80, cwd=table.parent)
        assert f"{form} is binary and stdout is a terminal" in done.out


def test_a_failed_text_is_null_and_a_reader_left_out(tmp_path: Path, plugins: None) -> None:
    pq.write_table(pa.table({"text": ["a", "bad", "b"]}), tmp_path / "in.parquet")
    done = shell(
        "SIMIL_MODEL=plugin:refusing simil embed in.parquet --on-error null -o out.parquet", cwd=tmp_path
    )
    assert done.code == 6
    assert [one is None for one in pq.read_table(tmp_path / "out.parquet")["embedding"].to_pylist()] == [
        False,
        True,
        False,
    ]
    done = simil("search", "a", str(tmp_path / "out.parquet"))
    assert [line.split("\t")[1] for line in done.out.splitlines()] == ["1", "3"]
    assert "1 text without a vector left out" in done.err


def test_vectors_of_a_table_are_deduped_into_a_table(tmp_path: Path, plugins: None) -> None:
    schema = pa.schema([("id", pa.string()), ("n", pa.int8()), ("embedding", pa.list_(pa.float32(), 2))])
    rows = {"id": ["a", "b", "c"], "n": [1, 2, 3], "embedding": [[0.6, 0.8], [0.6, 0.8], [1.0, 0.0]]}
    pq.write_table(pa.table(rows, schema=schema), tmp_path / "in.parquet")
    done = simil(
        "dedupe", "--threshold", "0.9", str(tmp_path / "in.parquet"), "-o", str(tmp_path / "out.parquet")
    )
    assert done.code == 0
    written = pq.read_table(tmp_path / "out.parquet")
    assert written["id"].to_pylist() == ["a", "c"]
    assert written["n"].to_pylist() == [1, 3]
    assert written.schema.field("n").type == pa.int8()
    assert (
        written["embedding"].to_pylist()
        == pa.array([[0.6, 0.8], [1.0, 0.0]], pa.list_(pa.float32())).to_pylist()
    )


def test_texts_beside_vectors_are_embedded_anew_if_their_column_is_named(
    tmp_path: Path, plugins: None
) -> None:
    pq.write_table(pa.table({"text": ["a", "b"], "embedding": [[1.0, 2.0]] * 2}), tmp_path / "in.parquet")
    done = simil(
        "embed", str(tmp_path / "in.parquet"), "--field", "text", "-o", str(tmp_path / "out.parquet")
    )
    assert done.code == 0
    assert done.error_line == f"{tmp_path / 'in.parquet'}: the vectors in column 'embedding' are left out"
    written = pq.read_table(tmp_path / "out.parquet")
    assert written.schema.names == ["id", "text", "embedding"]
    assert written.schema.field("embedding").type.list_size == 8


def test_a_folder_of_tables_is_embedded(tmp_path: Path, plugins: None) -> None:
    folder = tmp_path / "table"
    folder.mkdir()
    (folder / "_SUCCESS").touch()
    for part in (1, 0):
        pq.write_table(pa.table({"text": [f"t{part}"]}), folder / f"part-{part}.parquet")
    done = shell("simil embed table -o out.parquet && simil search t0 out.parquet -f jsonl", cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    assert [one["id"] for one in lines(done.out)] == ["1", "2"]
    folder.joinpath("notes.txt").touch()
    assert "table: is a directory" in simil("embed", str(folder)).error_line


def test_pairs_are_compared(tmp_path: Path, plugins: None) -> None:
    pq.write_table(pa.table({"left": ["a", "b"], "right": ["a", "c"]}), tmp_path / "pairs.parquet")
    done = simil("compare", "--pairs", str(tmp_path / "pairs.parquet"))
    assert done.code == 0
    assert done.out.startswith("1.000000")


@pytest.mark.parametrize(
    "command", ["cluster -n 2", "classify --label ab --label cd", "outliers", "search ab", "match in.parquet"]
)
def test_columns_keep_their_types_beside_ours(command: str, tmp_path: Path, plugins: None) -> None:
    table = pa.table(
        {
            "id": pa.array([7, 8], pa.int32()),
            "text": pa.array(["ab", "cd"], pa.large_string()),
            "score": pa.array([1, None], pa.int8()),
            "none": pa.array([None, None], pa.float32()),
            "big": pa.array([2**64 - 1, 1], pa.uint64()),
            "when": pa.array([1, 2], pa.timestamp("ns")),
            "object": pa.array([{"a": 1, "b": None}] * 2, pa.struct({"a": pa.int8(), "b": pa.string()})),
        }
    )
    pq.write_table(table, tmp_path / "in.parquet")
    arguments = [*command.split(), "in.parquet", "-o", "out.parquet"]
    assert simil(*arguments, "-m", "plugin:letters", cwd=tmp_path).code == 0
    found = pq.read_table(tmp_path / "out.parquet")
    assert found.select(table.column_names).sort_by("id").equals(table)
    if command.startswith("match"):
        assert found.schema.field("when_right").type == pa.timestamp("ns")


def test_columns_of_a_table_beside_lines_have_types_that_hold_both(tmp_path: Path, plugins: None) -> None:
    pq.write_table(pa.table({"text": ["ab"], "n": pa.array([1], pa.int8())}), tmp_path / "a.parquet")
    (tmp_path / "b.csv").write_text("text,n\ncd,many\n")
    for command in ("dedupe -q --exact", "cluster -n 1"):
        arguments = [*command.split(), "a.parquet", "b.csv", "-o", "out.parquet"]
        done = simil(*arguments, "-m", "plugin:letters", cwd=tmp_path)
        assert (done.code, done.err) == (0, "")
        assert pq.read_table(tmp_path / "out.parquet")["n"].to_pylist() == ["1", "many"]


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_scores_are_written_as_tables(form: str, tmp_path: Path, plugins: None) -> None:
    read = pq.read_table if form == "parquet" else feather.read_table
    out = tmp_path / f"out.{form}"
    assert simil("compare", "-m", "plugin:letters", "ab", "ab", "cd", "-o", str(out)).code == 0
    rows = read(out).to_pylist()
    assert [(row["a"], row["b"], row["a_id"], row["b_id"]) for row in rows] == [
        ("ab", "ab", "1", "2"),
        ("ab", "cd", "1", "3"),
        ("ab", "cd", "2", "3"),
    ]
    assert rows[0]["score"] == pytest.approx(1)
    assert simil("compare", "-m", "plugin:letters", "ab", "cd", "-o", str(out)).code == 0
    assert read(out).num_rows == 1
    table = pa.table({"a": ["ab", "ab"], "b": ["ab", "cd"], "score": pa.array([1, 0], pa.int8())})
    pq.write_table(table, tmp_path / "pairs.parquet")
    pairs = "--pairs", "pairs.parquet", "--field", "a", "--field", "b"
    assert simil("compare", "-m", "plugin:letters", *pairs, "-o", out.name, cwd=tmp_path).code == 0
    assert read(out).column_names == ["score_2", "a", "b", "score"]
    assert read(out).select(["a", "b", "score"]) == table


def test_a_reader_that_has_enough_and_a_full_disk(table: Path) -> None:
    for form in ("parquet", "arrow"):
        done = shell(f"simil embed -q given.parquet -f {form} | head -c 0", cwd=table.parent)
        assert done.err == ""
        done = shell(f"simil embed -q given.parquet -f {form} > /dev/full", cwd=table.parent)
        assert (done.code, done.err.count("\n")) == (2, 1), done.err
        assert "No space left on device" in done.err


def test_a_type_that_parquet_does_not_have_is_told(tmp_path: Path, plugins: None) -> None:
    spans = pa.array([(1, 2, 3)], pa.month_day_nano_interval())
    given = pa.table({"text": ["a"], "span": spans})
    feather.write_feather(given, tmp_path / "in.arrow", compression="uncompressed")
    done = shell("simil embed in.arrow -o out.arrow && simil embed in.arrow -q -f jsonl", cwd=tmp_path)
    assert lines(done.out)[0]["fields"] == {"span": [1, 2, 3]}
    assert feather.read_table(tmp_path / "out.arrow")["span"].combine_chunks().equals(spans)
    done = simil("embed", str(tmp_path / "in.arrow"), "-o", str(tmp_path / "out.parquet"))
    assert done.code == 3
    assert done.error_line.startswith("the columns cannot be written as parquet: ")


# --- without the extra ---


@pytest.fixture
def without_pyarrow(tmp_path: Path, plugins: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide pyarrow, as where the extra is not installed."""

    site = tmp_path / "site"
    site.mkdir()
    site.joinpath("sitecustomize.py").write_text("import sys\nsys.modules['pyarrow'] = None\n", "utf-8")
    monkeypatch.setenv("PYTHONPATH", f"{site}{os.pathsep}{os.environ['PYTHONPATH']}")


def test_without_the_extra_one_line_says_how_to_get_it(
    tmp_path: Path, without_pyarrow: None, fresh_processes: None
) -> None:
    said = (
        "Parquet and Arrow files need pyarrow, which is not installed; run: pip install 'simil-cli[parquet]'"
    )
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"text": ["a"]}), path)
    tmp_path.joinpath("x.txt").write_text("a\n", "utf-8")
    for arguments in (
        ["embed", str(path)],
        ["search", "a", str(path)],
        ["embed", str(tmp_path / "x.txt"), "-o", str(tmp_path / "out.arrow")],
        ["dedupe", "--exact", str(tmp_path / "x.txt"), "-o", str(tmp_path / "out.parquet")],
    ):
        done = simil(*arguments)
        assert (done.code, done.out, done.err.splitlines()[-1]) == (4, "", f"simil: {said}")
    assert not (tmp_path / "out.arrow").exists()
    assert simil("embed", str(tmp_path / "x.txt")).code == 0
    assert simil("embed", "--help").code == 0
    assert simil("search", "a", str(tmp_path / "x.txt")).code == 0

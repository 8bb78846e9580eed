"""Rows that go in come out: all of them, in their order, with their columns and values, ours behind them."""

from __future__ import annotations

import csv
import datetime
import json
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.command import simil

from simil.cli.output.annotated_rows import write_texts
from simil.session.inputs import InputOpener
from simil.tasks.corpus import Corpus, arranged
from simil.texts import InputFormat, ReadOptions

COMMANDS = {
    "cluster": (["cluster", "-n", "2"], ["cluster", "cluster_name", "score"]),
    "classify": (["classify", "--label", "animal", "--label", "money"], ["label", "score", "margin"]),
    "outliers": (["outliers", "-k", "1"], ["score", "nearest_id", "nearest_score", "nearest_text"]),
    "match": (["match", "right.txt", "--unmatched", "keep"], ["id", "text_right", "score"]),
}
TEXTS = ["cat", "", "interest rates", "dog", "  ", "the bank", None]
FORMS = ["csv", "tsv", "jsonl", "parquet"]


def read(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a file as another program reads them."""
    if path.suffix == ".parquet":
        rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
        return rows
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_bytes().splitlines()]
    with path.open(encoding="utf-8", newline="") as stream:
        if path.suffix == ".tsv":
            head, *lines = [line.split("\t") for line in stream.read().removesuffix("\n").split("\n")]
            return [dict(zip(head, line, strict=True)) for line in lines]
        return [*csv.DictReader(stream, strict=True)]


def write_csv(path: Path, rows: Iterable[Sequence[str]], **options: Any) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, **options).writerows(rows)


def columns(rows: Sequence[Mapping[str, Any]], names: Iterable[str]) -> list[dict[str, Any]]:
    return [{name: row[name] for name in names} for row in rows]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("form", FORMS)
def test_each_row_comes_back_in_its_place(command: str, form: str, tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"n": n, "text": text, "why": [n]} for n, text in enumerate(TEXTS)]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    (tmp_path / "right.txt").write_text("kitten\nmoney\n", "utf-8")
    (name, *options), ours = COMMANDS[command]
    done = simil(name, "in.jsonl", *options, "-o", f"out.{form}", cwd=tmp_path)
    assert done.code == 0
    assert done.error_lines[-1] == "3 blank texts skipped (first: in.jsonl:2)"
    found = read(tmp_path / f"out.{form}")
    assert all([*row] == ["n", "text", "why", *ours] for row in found)
    if form in ("csv", "tsv"):
        rows = [{"n": str(row["n"]), "text": row["text"] or "", "why": str(row["why"])} for row in rows]
    assert columns(found, rows[0]) == rows
    assert [row["score"] in (None, "") for row in found] == [not (text or "").strip() for text in TEXTS]


def test_types_come_back_in_parquet(tmp_path: Path) -> None:
    day = datetime.datetime(2024, 2, 29, 12, tzinfo=datetime.UTC)
    table = pa.table(
        {
            "text": pa.array(["cat", "dog", "", None]),
            "score": pa.array([1, None, 3, 4], pa.int16()),
            "at": pa.array([day, None, day, day], pa.timestamp("us", "UTC")),
            "price": pa.array([Decimal("1.10"), None, Decimal("-2.00"), None], pa.decimal128(9, 2)),
            "tags": pa.array([["a"], [], None, ["b", None]], pa.list_(pa.string())),
            "of": pa.array([{"x": 1.5}, None, {"x": None}, {"x": 2.0}], pa.struct({"x": pa.float32()})),
            "raw": pa.array([b"\0", b"", None, b"\xff"], pa.binary()),
            "kind": pa.array(["k", "k", "l", None]).dictionary_encode(),
        }
    )
    pq.write_table(table, tmp_path / "in.parquet")
    for name, options in (("classify", ["--label", "a", "--label", "b"]), ("outliers", ["-k", "1"])):
        done = simil(name, "in.parquet", *options, "-o", "out.parquet", cwd=tmp_path)
        assert done.code == 0, done.err
        found = pq.read_table(tmp_path / "out.parquet")
        assert found.select(table.column_names).cast(table.schema).equals(table)
        assert found.schema.field("score").type == pa.int16()
        assert found.schema.field("score_2").type == pa.float32()


# --- orders and choices ---


@pytest.fixture
def animals(tmp_path: Path) -> Path:
    texts = ["cat", "interest rates", "", "kitten", "the bank", "cats", "zebra crossing"]
    write_csv(tmp_path / "in.csv", [["n", "text"], *([str(n), text] for n, text in enumerate(texts))])
    return tmp_path


def rows_of(folder: Path, *arguments: str) -> list[dict[str, Any]]:
    done = simil(*arguments, "-q", "-f", "csv", "-o", "out.csv", cwd=folder)
    assert done.code == 0, done.err
    return read(folder / "out.csv")


@pytest.mark.parametrize(
    ("command", "key"),
    [
        (["cluster", "in.csv", "-n", "2"], lambda row: (int(row["cluster"]), -float(row["score"]))),
        (["outliers", "in.csv", "-k", "1"], lambda row: -float(row["score"])),
        (["match", "in.csv", "in.csv", "-k", "2"], lambda row: -float(row["score"])),
        (
            ["classify", "in.csv", "--label", "cat", "--label", "bank", "--threshold", "0.3"],
            lambda row: (["cat", "bank", "unknown"].index(row["label"]), -float(row["score"])),
        ),
    ],
)
def test_sorted_by_result_with_blank_rows_last(command: list[str], key: Any, animals: Path) -> None:
    found = rows_of(animals, *command)
    assert [row["n"] for row in found] == sorted(row["n"] for row in found)
    in_order = rows_of(animals, *command, "--sort")
    assert in_order[-1]["n"] == "2"
    assert in_order[:-1] == sorted((row for row in found if row["n"] != "2"), key=key)


def test_chosen_rows_keep_their_order(animals: Path) -> None:
    every = rows_of(animals, "outliers", "in.csv", "-k", "1")
    strongest = sorted((row for row in every if row["score"]), key=lambda row: -float(row["score"]))[:3]
    chosen = ["outliers", "in.csv", "-k", "1", "-n", "3"]
    assert rows_of(animals, *chosen) == [row for row in every if row in strongest]
    assert rows_of(animals, *chosen, "--sort") == strongest
    members = rows_of(animals, "cluster", "in.csv", "-n", "2", "--members", "1")
    assert [row["n"] for row in members] == sorted(row["n"] for row in members)
    assert {row["cluster"] for row in members} == {"1", "2"}


def test_files_with_other_columns_are_one_table(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", [["file", "text"], ["x", "cat"], ["y", " "]])
    write_csv(tmp_path / "b.csv", [["text", "b"], ["money", "7"]])
    (tmp_path / "c.txt").write_text("kitten\n\n", "utf-8")
    options = ["--label", "animal", "--label", "bank", "-q"]
    simil("classify", "a.csv", "b.csv", "c.txt", *options, "-o", "out.csv", cwd=tmp_path)
    names = ["file", "text", "b", "id", "label", "file_2"]
    assert [[row[name] for name in names] for row in read(tmp_path / "out.csv")] == [
        ["x", "cat", "", "", "animal", "a.csv"],
        ["y", " ", "", "", "", "a.csv"],
        ["", "money", "7", "", "bank", "b.csv"],
        ["", "kitten", "", "c.txt:1", "animal", "c.txt"],
        ["", "", "", "c.txt:2", "", "c.txt"],
    ]
    simil("classify", "a.csv", "b.csv", "c.txt", *options, "-o", "out.jsonl", cwd=tmp_path)
    ours = ["label", "score", "margin"]
    assert [[*row] for row in read(tmp_path / "out.jsonl")] == [
        *[["file", "text", *ours, "file_2"]] * 2,
        ["text", "b", *ours, "file_2"],
        *[["id", "text", *ours, "file_2"]] * 2,
    ]


def test_both_sides_of_a_match_keep_their_blank_rows(tmp_path: Path) -> None:
    write_csv(tmp_path / "l.csv", [["k", "text"], ["1", ""], ["2", "cat"], ["3", " "]])
    write_csv(tmp_path / "r.csv", [["text", "score"], ["", "a"], ["kitten", "b"]])
    names = ["k", "text", "text_right", "score", "score_2"]

    def joined(*options: str) -> list[list[str]]:
        return [
            [row[name] for name in names[:4]]
            for row in rows_of(tmp_path, "match", "l.csv", "r.csv", *options)
        ]

    left = [["1", "", "", ""], ["2", "cat", "kitten", "b"], ["3", " ", "", ""]]
    assert joined() == left
    assert joined("--one-to-one") == [*left, ["", "", "", "a"]]
    assert joined("--unmatched", "drop") == left[1:2]


def test_duplicates_keep_their_columns(tmp_path: Path) -> None:
    rows = [["7", "a cat", "x,y"], ["8", "money", ""], ["9", "a cat", 'two\n"lines"'], ["10", "a cat", "z"]]
    write_csv(tmp_path / "in.csv", [["group", "text", "note"], *rows])
    found = rows_of(tmp_path, "dedupe", "--exact", "in.csv", "--show", "groups")
    assert [[*row.values()] for row in found] == [
        [*rows[0], "1", "true", ""],
        [*rows[2], "1", "false", "1.000000"],
        [*rows[3], "1", "false", "1.000000"],
    ]
    assert [*found[0]] == ["group", "text", "note", "group_2", "kept", "score"]
    write_csv(tmp_path / "known.csv", [["text", "more"], ["money", "m"]])
    found = rows_of(tmp_path, "dedupe", "--exact", "in.csv", "--against", "known.csv", "--show", "groups")
    assert [[row["text"], row["more"], row["file"]] for row in found][:2] == [
        ["money", "m", "known.csv"],
        ["money", "", "in.csv"],
    ]


# --- what people have ---


def test_a_table_that_excel_wrote(tmp_path: Path) -> None:
    data = 'Nr;Text;Text;score\r\n1;"Die ""Katze"" schläft";x;1,5\r\n2;;y;2,0\r\n3;"zwei\r\nZeilen";z;\r\n'
    (tmp_path / "in.csv").write_text(data, "utf-8-sig", newline="")
    options = ["--label", "Katze", "--label", "Geld", "--field", "2", "-q", "-f", "csv"]
    done = simil("classify", *options, "--input-format", "csv", stdin=(tmp_path / "in.csv").read_bytes())
    assert done.out.splitlines()[0] == "Nr,Text#2,Text#3,score,label,score_2,margin"
    simil("classify", *options, "in.csv", "-o", "out.csv", cwd=tmp_path)
    assert [[*row.values()][:5] for row in read(tmp_path / "out.csv")] == [
        ["1", 'Die "Katze" schläft', "x", "1,5", "Katze"],
        ["2", "", "y", "2,0", ""],
        ["3", "zwei\r\nZeilen", "z", "", "Geld"],
    ]


def test_saved_vectors_come_back_without_their_vectors(animals: Path) -> None:
    simil("embed", "in.csv", "-q", "-o", "v.parquet", cwd=animals)
    found = rows_of(animals, "outliers", "v.parquet", "-k", "1")
    assert [*found[0]] == ["id", "text", "n", "score", "nearest_id", "nearest_score", "nearest_text"]
    assert [row["n"] for row in found] == ["0", "1", "3", "4", "5", "6"]


# --- whatever there is ---

CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\ufeff"), max_size=9)
NAMES = st.lists(
    CELLS.map(str.strip) | st.sampled_from(["score", "score_2", "file", "fields", "id", "line", "a,b", 'q"']),
    min_size=1,
    max_size=6,
    unique=True,
).filter(lambda names: "text" not in names and all(name and "#" not in name for name in names))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | CELLS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(CELLS, inner, max_size=3),
    max_leaves=6,
)
FEW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def annotated(path: Path, options: ReadOptions, out: Path) -> list[dict[str, Any]]:
    """Return the rows of a file as they come back with a score, the number of the row."""
    opened = InputOpener().open([str(path)], options)
    texts, blanks = [], []
    for text in opened.texts():
        if text.is_missing:
            blanks.append((len(texts), text))
        else:
            texts.append(text)
    corpus = Corpus(texts, np.zeros((len(texts), 1), np.float32), None, blanks=blanks)
    rows = ((text, {} if row is None else {"score": row}) for row, text in arranged(corpus))
    with out.open("wb") as stream:
        write_texts(rows, out.suffix[1:], stream, corpus=corpus, columns=["score"])
    return read(out)


@FEW
@given(names=NAMES, data=st.data())
def test_any_table_comes_back(names: list[str], data: st.DataObject, tmp_path: Path) -> None:
    names = ["text", *names]
    rows = data.draw(st.lists(st.lists(CELLS, min_size=len(names), max_size=len(names)), max_size=5))
    write_csv(tmp_path / "in.csv", [names, *rows], quoting=csv.QUOTE_ALL)
    options = ReadOptions(InputFormat.CSV, ("text",), "text", delimiter=",", all_fields=True, all_rows=True)
    for form in ("csv", "jsonl", "parquet"):
        found = annotated(tmp_path / "in.csv", options, tmp_path / f"out.{form}")
        assert columns(found, names) == [dict(zip(names, row, strict=True)) for row in rows]


@FEW
@given(
    st.lists(
        st.dictionaries(CELLS.filter(lambda name: name not in ("id", "text")), VALUES, max_size=4), max_size=5
    )
)
def test_any_records_come_back(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    rows = [{"text": f"text {number}" if number % 2 else "", **row} for number, row in enumerate(rows)]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    options = ReadOptions(InputFormat.JSONL, ("text",), all_fields=True, all_rows=True)
    found = annotated(tmp_path / "in.jsonl", options, tmp_path / "out.jsonl")
    assert [columns([row], came)[0] for row, came in zip(found, rows, strict=True)] == rows
    assert [[*row][: len(came)] for row, came in zip(found, rows, strict=True)] == [[*came] for came in rows]

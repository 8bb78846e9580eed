"""Tables of results have every column of the input, as it was, and columns of ours beside them."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from support.command import simil

TEXTS = [
    "a black cat sleeps on the sofa",
    "interest rates rise again",
    "a white cat sleeps on a chair",
    "the bank raises interest rates",
    "two cats sleep on the bed",
    "central bank decides on interest rates",
]
# Names that commands use, and values that a reader of numbers would change.
TAKEN = [
    "id",
    "cluster",
    "words",
    "score",
    "label",
    "margin",
    "file",
    "line",
    "nearest_id",
    "cluster_2",
    "text",
]
VALUES = ["007", "1.0", "1e3", "12345678901234567890123", " x ", '"', "a,b", "two\nlines", "", "-0", "t"]

COMMANDS = {
    "cluster": ["cluster", "-n", "2"],
    "classify": ["classify", "--label", "cats", "--label", "money"],
    "outliers": ["outliers", "--all", "-k", "1"],
    "search": ["search", "a cat", "-k", "6"],
}


def rows_of(data: str) -> list[dict[str, str]]:
    return [*csv.DictReader(io.StringIO(data, newline=""))]


@pytest.fixture
def table(tmp_path: Path) -> list[dict[str, str]]:
    """Write a table whose columns have the names of ours; the texts are in the column "note"."""
    rows = [{**dict(zip(TAKEN, VALUES, strict=True)), "note": text} for text in TEXTS]
    with (tmp_path / "in.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, [*TAKEN, "note"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return rows


@pytest.mark.parametrize("command", COMMANDS)
def test_columns_of_the_input_keep_names_and_values(
    command: str, table: list[dict[str, str]], tmp_path: Path
) -> None:
    result = simil(*COMMANDS[command], "in.csv", "--field", "note", "-q", "-f", "csv", cwd=tmp_path)
    assert result.code == 0, result.err
    found = [{name: row[name] for name in table[0]} for row in rows_of(result.out)]
    if command == "search":
        found.sort(key=lambda row: TEXTS.index(row["note"]))
    assert found == table


def test_columns_of_ours_have_a_number_where_their_name_is_taken(
    table: list[dict[str, str]], tmp_path: Path
) -> None:
    result = simil("cluster", "-n", "2", "in.csv", "--field", "note", "-f", "csv", cwd=tmp_path)
    assert result.out.partition("\n")[0].split(",") == [
        *TAKEN, "note", "cluster_3", "cluster_name", "score_2",
    ]  # fmt: skip
    assert [row["cluster_3"] for row in rows_of(result.out)] in (["1", "2"] * 3, ["2", "1"] * 3)


@pytest.mark.parametrize("form", ["csv", "tsv", "json", "jsonl"])
def test_texts_stay_in_their_order_among_clusters(form: str, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("\n".join(TEXTS), "utf-8")
    result = simil("cluster", "-n", "2", "in.txt", "-f", form, cwd=tmp_path)
    if form == "json":
        found = [row["text"] for row in json.loads(result.out)["data"]]
    elif form == "jsonl":
        found = [json.loads(line)["text"] for line in result.out.splitlines()]
    else:
        delimiter = "," if form == "csv" else "\t"
        found = [row["text"] for row in csv.DictReader(io.StringIO(result.out), delimiter=delimiter)]
    assert found == TEXTS


def test_a_column_that_says_the_same_is_not_repeated(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("n,id,content\n1,a,cat\n2,b,dog\n", "utf-8")
    result = simil("search", "cat", "in.csv", "--field", "content", "-f", "csv", cwd=tmp_path)
    assert result.out.partition("\n")[0] == "score,file,line,n,id,content"


def test_large_numbers_of_records_are_exact_in_a_table(tmp_path: Path) -> None:
    large = 123456789012345678901234567890
    (tmp_path / "in.jsonl").write_text(f'{{"n":{large},"text":"cat","score":{{"a":{-large}}}}}\n', "utf-8")
    [row] = rows_of(simil("search", "cat", "in.jsonl", "-f", "csv", cwd=tmp_path).out)
    assert (row["n"], row["score"], row["score_2"]) == (str(large), f'{{"a":{-large}}}', "1.000000")


def test_fields_of_saved_vectors_keep_their_names(tmp_path: Path) -> None:
    vectors = '{"id":"a","embedding":[1,0],"score":7,"cluster":"x"}\n{"id":"b","embedding":[0,1],"score":8}\n'
    (tmp_path / "v.jsonl").write_text(vectors, "utf-8")
    rows = rows_of(simil("cluster", "-n", "2", "v.jsonl", "-f", "csv", cwd=tmp_path).out)
    assert [(row["id"], row["score"], row["cluster"]) for row in rows] == [("a", "7", "x"), ("b", "8", "")]
    assert {row["cluster_2"] for row in rows} == {"1", "2"}


def test_both_sides_of_a_match_keep_their_scores(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("score,text\n1.0,cat\n", "utf-8")
    (tmp_path / "b.csv").write_text("text,score\ncat,5\n", "utf-8")
    result = simil("match", "a.csv", "b.csv", "-q", cwd=tmp_path)
    assert result.out == "score,text,text_right,score_right,score_2\n1.0,cat,cat,5,1.000000\n"


def test_pairs_keep_their_score(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("a,b,score\ncat,cat,1e3\n", "utf-8")
    options = ["--pairs", "p.csv", "--field", "a", "--field", "b", "-f", "csv"]
    assert simil("compare", *options, cwd=tmp_path).out == "score_2,a,b,score\n1.000000,cat,cat,1e3\n"

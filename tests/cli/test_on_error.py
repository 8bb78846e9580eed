"""`--on-error null`: a row for every record, in its place, in every form; `skip` tells what it leaves out."""

from __future__ import annotations

import base64
import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support.command import MINILM, Result, on_terminal, simil

LONG = "one word after another " * 100
EMBED = ("embed", "--overflow", "error", "--dimensions", "2", "-q")


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same texts in each format: the second and the last cannot be embedded, the third is blank."""
    monkeypatch.chdir(tmp_path)
    records = [
        {"id": "a", "text": "first", "note": "x"},
        {"id": "b", "text": LONG, "note": "y"},
        {"id": "c", "text": "", "note": "z"},
        {"id": "d", "text": "fourth", "note": "w"},
    ]
    lines = [json.dumps(record) for record in records]
    Path("in.jsonl").write_text("\n".join([*lines, '{"id":"e","text":5,"note":"v"}\n']), "ascii")
    document = ",".join([*lines, '{"id":"e","text":[5],"note":"v"}'])
    Path("in.json").write_text(f"[{document}]", "ascii")
    rows = [",".join(record.values()) for record in records]
    Path("in.csv").write_text("\n".join(["id,text,note", *rows, "e\n"]), "ascii")
    Path("in.txt").write_bytes(f"first\n{LONG}\n\nfourth\nb\xff\n".encode("latin-1"))


def numbers_of(form: str, text: str) -> list[list[float] | None]:
    return _READ[form](text)


def _of_table(text: str, delimiter: str) -> list[list[float] | None]:
    rows = [*csv.DictReader(text.splitlines(), delimiter=delimiter)]
    return [[float(row["d0"]), float(row["d1"])] if row["d0"] else None for row in rows]


def _of_base64(text: str) -> list[list[float] | None]:
    coded = [item["embedding"] for item in json.loads(text)["data"]]
    return [None if each is None else np.frombuffer(base64.b64decode(each), "<f4").tolist() for each in coded]


_READ: dict[str, Callable[[str], list[list[float] | None]]] = {
    "json": lambda text: [item["embedding"] for item in json.loads(text)["data"]],
    "jsonl": lambda text: [json.loads(line)["embedding"] for line in text.splitlines()],
    "csv": lambda text: _of_table(text, ","),
    "tsv": lambda text: _of_table(text, "\t"),
    "base64": _of_base64,
}


@pytest.mark.parametrize("form", _READ)
@pytest.mark.parametrize("source", ["in.jsonl", "in.json", "in.csv", "in.txt"])
def test_a_row_for_each_record(source: str, form: str) -> None:
    result = simil(*EMBED, "--on-error", "null", source, "-f", form)
    assert result.code == 6, result.err
    found = numbers_of(form, result.out)
    assert [each is None for each in found] == [False, True, True, False, True]
    skipped = simil(*EMBED, "--on-error", "skip", source, "-f", form)
    assert skipped.code == 6
    assert numbers_of(form, skipped.out) == [found[0], found[3]]


@pytest.mark.parametrize("source", ["in.jsonl", "in.csv", "in.txt"])
def test_npy_has_rows_of_nan(source: str) -> None:
    assert simil(*EMBED, "--on-error", "null", source, "-o", "v.npy").code == 6
    vectors = np.load("v.npy")
    assert np.isnan(vectors).all(axis=1).tolist() == [False, True, True, False, True]
    items = json.loads(Path("v.npy.json").read_text("utf-8"))["data"]
    last = {"in.jsonl": "e", "in.csv": "in.csv:6", "in.txt": "5"}[source]
    names = ["1", "2", "3", "4"] if source == "in.txt" else ["a", "b", "c", "d"]
    assert [item["id"] for item in items] == [*names, last]
    assert [item["text"] for item in items] == ["first", LONG, None, "fourth", None]


def test_fields_and_ids_stay_where_they_can_be_read() -> None:
    result = simil(*EMBED, "--on-error", "null", "in.jsonl", "-f", "jsonl")
    items = [json.loads(line) for line in result.out.splitlines()]
    assert [item["id"] for item in items] == ["a", "b", "c", "d", "e"]
    assert [item["fields"]["note"] for item in items] == ["x", "y", "z", "w", "v"]
    table = simil(*EMBED, "--on-error", "null", "in.csv", "-f", "csv").out
    assert [row["note"] for row in csv.DictReader(table.splitlines())] == ["x", "y", "z", "w", ""]


def told(result: Result) -> list[str]:
    return [line.removeprefix("simil: ") for line in result.err.splitlines()]


@pytest.mark.parametrize(
    ("policy", "blank", "failed"), [("null", "is null", "are null"), ("skip", "skipped", "were left out")]
)
def test_what_is_null_or_left_out_is_told(policy: str, blank: str, failed: str) -> None:
    result = simil("embed", "--overflow", "error", "--on-error", policy, "in.jsonl", "-o", "v.jsonl")
    too_long = f"longer than the 256 tokens that {MINILM} reads; use --overflow truncate or chunk"
    assert told(result) == [
        "in.jsonl:5: field 'text' is a number, not a string",
        f"in.jsonl:2: the text is {too_long}",
        f"1 blank text {blank} (first: in.jsonl:3)",
        f"2 texts failed and {failed}; see above",
    ]


def test_blank_texts_alone_are_no_failure() -> None:
    Path("blank.txt").write_text("one\n\ntwo\n \n", "ascii")
    result = simil("embed", "--on-error", "null", "blank.txt", "-f", "jsonl")
    assert (result.code, told(result)) == (0, ["2 blank texts are null (first: blank.txt:2)"])
    assert [each is None for each in numbers_of("jsonl", result.out)] == [False, True, False, True]
    assert len(numbers_of("jsonl", simil("embed", "-q", "blank.txt", "-f", "jsonl").out)) == 2
    given = simil("embed", "--on-error", "null", "-t", "", "-t", "one", "-f", "jsonl")
    assert (given.code, [each is None for each in numbers_of("jsonl", given.out)]) == (0, [True, False])


@pytest.mark.parametrize("form", _READ)
def test_a_whole_batch_without_a_vector_before_the_first(form: str) -> None:
    """How long a vector is, and which columns there are, is known only later."""
    lines = ["{"] * 40 + ['{"text":"one","n":1}', '{"text":2,"n":3}']
    Path("late.jsonl").write_text("\n".join(lines), "ascii")
    result = simil("embed", "--on-error", "null", "--dimensions", "2", "late.jsonl", "-f", form)
    assert result.code == 6
    assert [each is None for each in numbers_of(form, result.out)] == [True] * 40 + [False, True]


@pytest.mark.parametrize("form", ["json", "jsonl", "base64"])
def test_where_all_are_null_json_says_so(form: str) -> None:
    Path("bad.txt").write_bytes(b"\xff\n\n")
    result = simil("embed", "--on-error", "null", "bad.txt", "-f", form)
    assert (result.code, numbers_of(form, result.out)) == (6, [None, None])


def test_where_all_are_null_a_table_of_numbers_cannot_be_written() -> None:
    Path("bad.txt").write_bytes(b"\xff\n\n")
    for suffix in ("npy", "csv"):
        result = simil("embed", "--on-error", "null", "bad.txt", "-o", f"v.{suffix}")
        assert result.code == 3
        assert "a vector without any dimension cannot be written" in result.err
        assert not Path(f"v.{suffix}").exists()


def test_a_person_sees_which_failed(tmp_path: Path) -> None:
    Path("few.txt").write_text("one\n\n", "ascii")
    shown = on_terminal("simil embed --on-error null few.txt", 80, cwd=tmp_path).out
    assert "failed" in shown.splitlines()[1]
    Path("few.txt").write_bytes(b"\xff\n")
    assert "failed" in on_terminal("simil embed --on-error null few.txt", 80, cwd=tmp_path).out


PAIRS = "id,a,b\n1,Apple,Orange\n2,Apple\n3,,Orange\n4,Apple,Apple\n"


@pytest.mark.parametrize("form", ["plain", "csv", "tsv", "json", "jsonl"])
def test_a_score_for_each_row(form: str) -> None:
    Path("pairs.csv").write_text(PAIRS, "ascii")
    fields = ["--field", "a", "--field", "b", *([] if form == "plain" else ["-f", form])]
    result = simil("compare", "--pairs", "pairs.csv", "--on-error", "null", *fields)
    assert result.code == 6
    assert told(result)[1:] == [
        "1 blank text is null (first: pairs.csv:4)",
        "1 text failed and is null; see above",
    ]
    if form in ("json", "jsonl"):
        items = (
            json.loads(result.out)["data"] if form == "json" else [*map(json.loads, result.out.splitlines())]
        )
        assert [item["id"] for item in items] == ["1", "pairs.csv:3", "3", "4"]
        assert [item["score"] is None for item in items] == [False, True, True, False]
        assert [(item["a"], item["b"]) for item in items[1:3]] == [(None, None), (None, "Orange")]
    else:
        rows = [*csv.reader(result.out.splitlines(), delimiter="," if form == "csv" else "\t")]
        scores = [row[0] for row in (rows if form == "plain" else rows[1:])]
        assert [not score for score in scores] == [False, True, True, False]
        assert {len(row) for row in rows} == {4}


def test_null_is_no_score_below_the_threshold() -> None:
    Path("pairs.csv").write_text("a,b\nApple,Apple\n,Orange\n", "ascii")
    assert simil("compare", "--pairs", "pairs.csv", "--on-error", "null", "--threshold", "0.9").code == 0
    assert simil("compare", "--pairs", "pairs.csv", "--threshold", "0.9").code == 0


def test_rows_of_json_lines_keep_to_the_columns_of_a_table() -> None:
    lines = ["{", '{"a":"x","b":"y","n":1}', '{"n":2,"b":"y","a":"x"}', '{"a":"x","b":"y"}']
    Path("pairs.jsonl").write_text("\n".join(lines), "ascii")
    how = ["--field", "a", "--field", "b", "--on-error", "null", "-f", "csv"]
    result = simil("compare", "--pairs", "pairs.jsonl", *how)
    rows = [*csv.reader(result.out.splitlines())]
    assert [row[1:] for row in rows] == [
        ["a", "b", "n"],
        ["", "", ""],
        ["x", "y", "1"],
        ["x", "y", "2"],
        ["x", "y", ""],
    ]
    with Path("pairs.jsonl").open("a") as file:
        file.write('\n{"a":"x","b":"y","m":1}')
    result = simil("compare", "--pairs", "pairs.jsonl", *how)
    assert (result.code, "the field 'm' is not in the header" in result.err) == (3, True)


@pytest.mark.parametrize(
    "command", ["search word", "dedupe", "cluster", "outliers", "compare", "match in.txt"]
)
def test_the_others_have_no_place_for_null(command: str) -> None:
    result = simil(*command.split(), "in.txt", "--on-error", "null")
    assert result.code == 2
    assert "--on-error null is for embed and compare --pairs; use --on-error skip" in result.err


def test_help_says_so() -> None:
    for command in ("embed", "compare"):
        assert "[values: fail, skip, null]" in " ".join(simil(command, "--help").out.split())
    for command in ("search", "dedupe", "cluster", "classify", "outliers", "match", "eval"):
        assert "[values: fail, skip] " in " ".join(simil(command, "--help").out.split())

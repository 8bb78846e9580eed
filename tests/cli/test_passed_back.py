"""What is printed can be passed back: a score, the threshold of `eval`, a place."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.command import on_terminal, simil

from simil import similarity

ROWS = 24
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
COMPARE_PAIRS = ["compare", "-m", "minilm", "--pairs", "pairs.tsv", "--field", "a", "--field", "b"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Vectors at random: half of their scores are printed as more than they are."""
    here = tmp_path_factory.mktemp("scores")
    vectors = similarity.unit(np.random.default_rng(5).standard_normal((ROWS, 5)).astype(np.float32))
    rows = [
        {
            "id": f"t{number}",
            "text": f"text {number}",
            "embedding": vector,
            "model": "m@1",
            "label": "ab"[number % 2],
        }
        for number, vector in enumerate(vectors.tolist())
    ]
    lines = [json.dumps(row) + "\n" for row in rows]
    (here / "vectors.jsonl").write_text("".join(lines), "ascii")
    (here / "query.jsonl").write_text(lines[0], "ascii")
    (here / "others.jsonl").write_text("".join(lines[12:]), "ascii")
    (here / "some.jsonl").write_text("".join(lines[:12]), "ascii")
    words = ("tea", "eat", "a tree", "trains", "a stone", "stones and trees", "oats", "noon")
    pairs = [
        f"{one}\t{other}\t{float(one[0] == other[0])}" for one in words for other in words if one < other
    ]
    (here / "pairs.tsv").write_text("a\tb\tscore\n" + "".join(f"{pair}\n" for pair in pairs), "ascii")
    return here


LISTS = {
    "search": "search -k 24 --queries query.jsonl vectors.jsonl",
    "match": "match some.jsonl others.jsonl",
    "match-many": "match -k 3 some.jsonl others.jsonl",
    "outliers": "outliers vectors.jsonl",
    "outliers-lof": "outliers --method lof vectors.jsonl",
    "outliers-forest": "outliers --method isolation-forest vectors.jsonl",
    "outliers-reference": "outliers --reference some.jsonl others.jsonl",
}


def rows_of(text: str, form: str) -> list[dict[str, Any]]:
    """Return rows with their scores as they are printed; unmatched ones have none and are left out."""
    if form == "jsonl":
        rows = [json.loads(line, parse_float=str) for line in text.splitlines()]
    else:
        rows = [*csv.DictReader(io.StringIO(text), delimiter="," if form == "csv" else "\t")]
    return [row for row in rows if row["score"]]


def key_of(row: Mapping[str, Any]) -> str:
    """Return what tells a row from the others."""
    if "left" in row:
        return f"{row['left']['id']} {row['right']['id']}"
    return f"{row['id']} {row['id_right']}" if "id_right" in row else str(row["id"])


def every(name: str) -> list[str]:
    """Return the options with which a command shows every row, not only the most outlying."""
    return ["-n", "24"] if name.startswith("outliers") else []


@pytest.mark.parametrize("form", ["jsonl", "csv", "tsv"])
@pytest.mark.parametrize("name", LISTS)
def test_a_score_selects_its_row_and_what_scores_no_less(name: str, form: str, folder: Path) -> None:
    command = [*LISTS[name].split(), "-f", form]
    rows = rows_of(simil(*command, *every(name), cwd=folder).out, form)
    assert len(rows) > 8
    for row in (rows[0], rows[1], rows[len(rows) // 2], rows[-1]):
        chosen = rows_of(simil(*command, f"--threshold={row['score']}", cwd=folder).out, form)
        expected = {key_of(each) for each in rows if float(each["score"]) >= float(row["score"])}
        assert key_of(row) in expected
        assert {key_of(each) for each in chosen} == expected


def test_scores_that_are_rounded_up_are_among_these(folder: Path) -> None:
    """What the tests above would not show with other numbers."""
    exact = rows_of(simil(*LISTS["search"].split(), "-f", "jsonl", cwd=folder).out, "jsonl")
    printed = rows_of(simil(*LISTS["search"].split(), "-f", "csv", cwd=folder).out, "csv")
    assert (
        sum(float(one["score"]) < float(other["score"]) for one, other in zip(exact, printed, strict=True))
        > 8
    )


@pytest.mark.parametrize("method", ["knn", "centroid", "logistic"])
def test_a_text_keeps_its_label_at_its_score(method: str, folder: Path) -> None:
    command = ["classify", "--method", method, "--examples", "some.jsonl", "others.jsonl", "-f", "csv"]
    rows = rows_of(simil(*command, cwd=folder).out, "csv")
    for row in rows[:5]:
        again = rows_of(simil(*command, f"--threshold={row['score']}", cwd=folder).out, "csv")
        for one, other in zip(rows, again, strict=True):
            known = float(one["score"]) >= float(row["score"])
            # The texts have a field "label" of their own, which keeps its name.
            assert other["label_2"] == (one["label_2"] if known else "unknown")


@pytest.mark.parametrize("name", ["search", "match", "outliers", "outliers-lof"])
def test_a_score_of_a_table_selects_its_row(name: str, folder: Path) -> None:
    """It has four digits, which are cut: a row that is shown reaches them."""
    command = f"simil {LISTS[name]}"
    lines = scored_lines(on_terminal(shlex.join([*command.split(), *every(name)]), 100, cwd=folder).out)
    step = 2 if name.startswith("outliers") else 1  # every other line shows the nearest text
    assert len(lines) > 8
    for words in lines[: 6 * step : step]:
        again = scored_lines(on_terminal(f"{command} --threshold={words[0]}", 100, cwd=folder).out)
        assert words[0] in [line[0] for line in again[::step]]
        assert min(float(line[0]) for line in again[::step]) == float(words[0])


def scored_lines(shown: str) -> list[list[str]]:
    """Return the words of each line of a table that begins with a score."""
    lines = _COLOURS.sub("", shown).splitlines()
    return [line.split() for line in lines if re.match(r" *-?\d\.\d{4} ", line)]


@pytest.mark.parametrize("metric", ["cosine", "dot", "euclidean", "manhattan"])
def test_two_texts_reach_their_score(metric: str, folder: Path) -> None:
    for other in ("eat", "stones and trees", "noon", "a long way from here", "tea"):
        command = ["compare", "-m", "minilm", "--metric", metric, "tea", other]
        printed = simil(*command, cwd=folder).out.strip()
        exact = json.loads(simil(*command, "-f", "json", cwd=folder).out, parse_float=str)["score"]
        shown = on_terminal(f"simil {shlex.join(command)}", 80, cwd=folder).out
        cut = _COLOURS.sub("", shown).splitlines()[2].split()[0]
        for threshold in (printed, str(exact), cut):
            assert simil(*command, "-q", f"--threshold={threshold}", cwd=folder).code == 0
        step = 0.000002 if metric in ("cosine", "dot") else -0.000002
        assert simil(*command, "-q", f"--threshold={float(printed) + step:.6f}", cwd=folder).code == 1


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_all_pairs_reach_the_least_of_them(metric: str, folder: Path) -> None:
    matrix = ["compare", "--file", "vectors.jsonl", "--metric", metric]
    cells = [line.split("\t")[1:] for line in simil(*matrix, cwd=folder).out.splitlines()[1:]]
    far = max if metric == "euclidean" else min
    worst = far((cell for row in cells for cell in row), key=float)
    assert simil(*matrix, "-q", f"--threshold={worst}", cwd=folder).code == 0
    pairs = [*COMPARE_PAIRS, "--metric", metric]
    worst = far((line.split("\t")[0] for line in simil(*pairs, cwd=folder).out.splitlines()), key=float)
    assert simil(*pairs, "-q", f"--threshold={worst}", cwd=folder).code == 0


@pytest.mark.parametrize(
    "scale", [["--percentile", "words.txt"], ["--calibrated", "--calibration", "calibration.json"]]
)
def test_scores_on_a_scale_are_reached(scale: list[str], folder: Path) -> None:
    (folder / "words.txt").write_text(
        "".join(f"word {number} of {number % 7}\n" for number in range(30)), "ascii"
    )
    learnt = simil(
        "eval",
        "-m",
        "minilm",
        "pairs.tsv",
        "--save-calibration",
        "--calibration",
        "calibration.json",
        cwd=folder,
    )
    assert learnt.code == 0, learnt.err
    for other in ("eat", "stones and trees", "noon"):
        command = ["compare", "-m", "minilm", *scale, "tea", other]
        done = simil(*command, cwd=folder)
        assert done.code == 0, done.err
        shown = _COLOURS.sub("", on_terminal(f"simil {shlex.join(command)}", 80, cwd=folder).out).splitlines()
        cut = next(line for line in shown if re.match(r"\d+\.\d+ ", line)).split()[0]
        for threshold in (done.out.strip(), cut):
            assert simil(*command, "-q", f"--threshold={threshold}", cwd=folder).code == 0


def test_a_pair_of_duplicates_is_found_at_its_score(folder: Path) -> None:
    command = ["dedupe", "-q", "--show", "pairs", "vectors.jsonl", "-f", "csv", "--threshold"]
    rows = rows_of(simil(*command, "0.9", cwd=folder).out, "csv")
    assert rows
    for row in rows:
        again = rows_of(simil(*command, row["score"], cwd=folder).out, "csv")
        assert (row["id"], row["score"]) in [(each["id"], each["score"]) for each in again]


def test_the_threshold_of_eval_gives_what_is_counted_beside_it(folder: Path) -> None:
    found = rows_of_eval(simil("eval", "-m", "minilm", "pairs.tsv", "-f", "csv", cwd=folder).out)
    shown = on_terminal("simil eval -m minilm pairs.tsv", 200, cwd=folder).out
    assert found["threshold"] in shown
    scored = simil(*COMPARE_PAIRS, "-f", "csv", cwd=folder)
    rows = [*csv.DictReader(io.StringIO(scored.out))]
    kept = [row for row in rows if float(row["score_2"]) >= float(found["threshold"])]
    right = [row for row in kept if row["score"] == "1.0"]
    alike = [row for row in rows if row["score"] == "1.0"]
    assert float(found["precision"]) == pytest.approx(len(right) / len(kept), abs=1e-6)
    assert float(found["recall"]) == pytest.approx(len(right) / len(alike), abs=1e-6)


def rows_of_eval(text: str) -> dict[str, str]:
    [row] = csv.DictReader(io.StringIO(text))
    return row


def test_the_place_of_a_result_is_where_it_stands(folder: Path) -> None:
    (folder / "long.txt").write_text("".join(f"line {number} of many\n" for number in range(40)), "ascii")
    found = simil("search", "-m", "minilm", "-k", "3", "line 17", "long.txt", "pairs.tsv", cwd=folder)
    for line in found.out.splitlines():
        _, place, text = line.split("\t")
        name, _, number = place.rpartition(":")
        assert (folder / name).read_text("ascii").splitlines()[int(number) - 1].split("\t")[0] == text

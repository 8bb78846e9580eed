"""`simil search --words` and `--hybrid`: what they need, and what they do in a Lance dataset."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import lance
import pytest
from support.command import simil

from simil.index.stored_words import build_full_text

TEXTS = "The RX-7 has a rotary engine.\nThe RX-8 has a rotary engine.\nA roadster.\nNumber 7 won.\n"


@pytest.fixture
def cars(tmp_path: Path) -> Path:
    (tmp_path / "cars.txt").write_text(TEXTS, "utf-8")
    return tmp_path


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dataset")
    folder.joinpath("cars.csv").write_text(
        "id,text,year\n"
        + "".join(f'{row},"{text}",{2000 + row}\n' for row, text in enumerate(TEXTS.split("\n")[:4])),
        "utf-8",
    )
    done = simil("embed", "-m", "minilm", "cars.csv", "-o", "cars.lance", cwd=folder)
    assert (done.code, done.err) == (0, "")
    return folder


def test_words_open_no_model(cars: Path) -> None:
    command = ["search", "--words", "RX 7", "cars.txt", "-k", "1", "-m", "./no/such/model"]

    result = simil(*command, cwd=cars)

    assert (result.code, result.err) == (0, "")
    assert result.out.endswith("\tcars.txt:1\tThe RX-7 has a rotary engine.\n")
    assert simil("search", "--hybrid", *command[2:], cwd=cars).code == 4


@pytest.mark.parametrize("module", ["bm25s", "Stemmer"])
def test_without_the_extra_one_line_says_how_to_get_it(
    module: str, cars: Path, monkeypatch: pytest.MonkeyPatch, fresh_processes: None, plugins: None
) -> None:
    site = cars / "site"
    site.mkdir()
    site.joinpath("sitecustomize.py").write_text(f"import sys\nsys.modules['{module}'] = None\n", "utf-8")
    monkeypatch.setenv("PYTHONPATH", f"{site}{os.pathsep}{os.environ['PYTHONPATH']}")
    name = {"Stemmer": "PyStemmer"}.get(module, module)

    for option in ("--words", "--hybrid"):
        result = simil("search", option, "RX-7", "cars.txt", "-m", "minilm", cwd=cars)
        assert (result.code, result.out) == (4, "")
        assert result.error_line == (
            f"search by words needs {name}, which is not installed; run: pip install 'simil-cli[words]'"
        )


def test_a_dataset_is_searched_by_words_with_and_without_an_index(dataset: Path) -> None:
    shutil.copytree(dataset / "cars.lance", dataset / "indexed.lance")
    build_full_text(lance.dataset(str(dataset / "indexed.lance")))

    for name in ("cars.lance", "indexed.lance"):
        result = simil("search", "--words", "RX-7", name, "-f", "json", "-k", "1", cwd=dataset)
        found = json.loads(result.out)
        assert [found["model"], found["by"]] == [None, "words"]
        assert [row["id"] for row in found["data"]] == ["0"]


def test_a_condition_is_for_words_too(dataset: Path) -> None:
    for option in ("--words", "--hybrid"):
        command = ["search", option, "rotary engine", "cars.lance", "--where", "year > '2000'", "-f", "jsonl"]
        rows = [json.loads(line) for line in simil(*command, cwd=dataset).out.splitlines()]
        assert rows[0]["id"] == "1"
        assert "0" not in [row["id"] for row in rows]


def test_hybrid_in_a_dataset_shows_both_rankings(dataset: Path) -> None:
    result = simil("search", "--hybrid", "RX-7", "cars.lance", "-k", "1", "-f", "csv", cwd=dataset)

    head, row = result.out.splitlines()
    cells = dict(zip(head.split(","), row.split(","), strict=True))
    assert (cells["id"], cells["score"], cells["cosine_rank"], cells["bm25_rank"]) == (
        "0",
        "0.032787",
        "1",
        "1",
    )


def test_saved_queries_are_searched_by_the_texts_they_were_saved_with(dataset: Path) -> None:
    saved = simil("embed", "-m", "minilm", "-f", "jsonl", stdin=b"RX-8\nthe roadster\n", cwd=dataset)
    dataset.joinpath("q.jsonl").write_text(saved.out, "utf-8")
    bare = "".join(json.dumps({**json.loads(line), "text": None}) + "\n" for line in saved.out.splitlines())

    for option in ("--words", "--hybrid"):
        for name in ("cars.lance", "cars.csv"):
            command = ["search", option, name, "-k", "1", "-f", "jsonl", "--queries"]
            of_file = simil(*command, "q.jsonl", cwd=dataset)
            assert [json.loads(line)["id"] for line in of_file.out.splitlines()] == ["1", "2"]
            assert simil(*command, "-", stdin=saved.out.encode(), cwd=dataset).out == of_file.out
            refused = simil(*command, "-", stdin=bare.encode(), cwd=dataset)
            assert refused.code == 3
            assert "was saved without its text, and a search by words reads texts" in refused.error_line


def test_two_datasets_are_refused(dataset: Path) -> None:
    result = simil("search", "--words", "x", "cars.lance", "cars.lance", cwd=dataset)

    assert result.code == 2
    assert "one Lance dataset at a time" in result.error_line


@pytest.mark.parametrize("name", ["cars.lance", "cars.csv"])
def test_queries_that_were_saved_without_their_texts_are_refused(name: str, dataset: Path) -> None:
    made = simil("embed", "-m", "minilm", "-t", "RX-7", "-o", "query.npy", cwd=dataset)
    assert made.code == 0, made.err
    sidecar = dataset / "query.npy.json"
    sidecar.write_text(sidecar.read_text("utf-8").replace('"text":"RX-7"', '"text":""'), "utf-8")

    for option in ("--words", "--hybrid"):
        result = simil("search", "-m", "minilm", option, "--queries", "query.npy", name, cwd=dataset)
        assert (result.code, result.out) == (3, "")
        assert "was saved without its text" in result.error_line


def test_a_query_of_signs_is_said_to_have_no_word(cars: Path) -> None:
    result = simil("search", "--words", "🙂 !?", "cars.txt", cwd=cars)

    assert (result.code, result.out) == (1, "")
    assert "the query has no word, only signs" in result.error_line


def test_a_condition_that_keeps_the_words_away_is_told(dataset: Path) -> None:
    result = simil("search", "--words", "rotary", "cars.lance", "--where", "id = '2'", cwd=dataset)

    assert (result.code, result.out) == (1, "")
    assert "no text that meets --where \"id = '2'\" has a word of the query" in result.error_line

"""Vectors of two models are never compared, whatever their length; those of one model always can be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.command import MINILM, simil


def jsonl(model: str | None, dimensions: int) -> str:
    stamp = {"model": model} if model else {}
    rows = ([1.0] * dimensions, [1.0, -1.0] * (dimensions // 2))
    return "".join(
        json.dumps({"text": f"row {n}", "embedding": row, **stamp}) + "\n" for n, row in enumerate(rows)
    )


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, model in (("minilm", MINILM), ("other", "other"), ("unstamped", None)):
        tmp_path.joinpath(f"{name}.jsonl").write_text(jsonl(model, 384), "ascii")


def test_files_of_two_models_of_like_dimensions() -> None:
    result = simil("compare", "--file", "minilm.jsonl", "--file", "other.jsonl")
    assert (result.code, result.out) == (3, "")
    assert result.error_line == (
        f"vectors of two models cannot be compared: {MINILM} and other; embed all of them with one model"
    )


def test_file_of_another_model_and_a_text() -> None:
    result = simil("compare", "--file", "other.jsonl", "Apple")
    assert (result.code, result.out) == (3, "")
    assert f"{MINILM} and other" in result.error_line


def test_revision_of_a_model_is_part_of_its_name(tmp_path: Path) -> None:
    tmp_path.joinpath("old.jsonl").write_text(jsonl("all-MiniLM-L6-v2@0123456789ab", 384), "ascii")
    assert simil("compare", "--file", "old.jsonl", "Apple").code == 3


@pytest.mark.parametrize("beside", [["Apple"], ["--file", "minilm.jsonl"]])
def test_vectors_without_a_model_and_what_has_one(beside: list[str]) -> None:
    result = simil("compare", "--file", "unstamped.jsonl", *beside)
    assert (result.code, result.out) == (3, "")
    assert result.error_line.startswith("a file of vectors does not say which model made them")


def test_models_of_plugins(plugins: None, tmp_path: Path) -> None:
    assert simil("embed", "-m", "plugin:other", "-t", "tea", "-o", "v.json").code == 0
    assert simil("compare", "-m", "plugin:letters", "tea", "--file", "v.json").code == 3
    same = simil("compare", "-m", "plugin:other", "tea", "--file", "v.json", "-q", "--threshold", "1")
    assert same.code == 0


def test_conversion_of_two_models_into_one_file() -> None:
    result = simil("embed", "minilm.jsonl", "other.jsonl", "-f", "json")
    assert (result.code, result.out) == (3, "")
    assert "do not go into one file" in result.error_line


@pytest.mark.parametrize("form", ["json", "jsonl", "csv", "tsv", "npy"])
def test_file_and_text_of_the_same_model(form: str) -> None:
    assert simil("embed", "-t", "Apple", "-o", f"v.{form}").code == 0
    result = simil("compare", "Apple", "--file", f"v.{form}", "--threshold", "0.9999")
    assert (result.code, result.out, result.err) == (0, "1.000000\n", "")


def test_other_number_of_dimensions_says_how_to_match_them() -> None:
    assert simil("embed", "-q", "-t", "Apple", "--dimensions", "8", "-o", "v.json").code == 0
    result = simil("compare", "Apple", "--file", "v.json")
    assert (result.code, result.out) == (3, "")
    assert result.error_line == "vectors of 8 and 384 dimensions cannot be compared; pass --dimensions 8"
    assert (
        simil("compare", "-q", "Apple", "--file", "v.json", "--dimensions", "8", "--threshold", "1").code == 0
    )


def test_model_of_the_environment_does_not_hinder_conversion() -> None:
    result = simil("embed", "other.jsonl", "-o", "v.npy", env={"SIMIL_MODEL": "minilm"})
    assert (result.code, result.err) == (0, "")

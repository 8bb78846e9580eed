"""Texts longer than the model reads: what is said about them, once, and what becomes of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.command import MINILM, Result, simil

LONG = "one word after another " * 100
SAID = f"longer than {MINILM} reads, and cut; --overflow chunk embeds the whole text"


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tmp_path.joinpath("texts.txt").write_text(f"short\n{LONG}\nshort too\n{LONG} again\n", "ascii")
    tmp_path.joinpath("one.tsv").write_text(f"a\tb\nshort\t{LONG}\n", "ascii")


def embed(*arguments: str) -> Result:
    return simil("embed", "texts.txt", "-f", "csv", *arguments)


def test_warn_is_the_default_and_says_how_many() -> None:
    result = embed()
    assert (result.code, result.error_line) == (0, f"2 texts are {SAID}")
    assert simil("compare", "--pairs", "one.tsv").error_line == f"1 text is {SAID}"


def test_quiet_does_not_say_it_and_neither_does_truncate() -> None:
    quiet, truncated = embed("-q"), embed("--overflow", "truncate")
    assert (quiet.code, quiet.err) == (truncated.code, truncated.err) == (0, "")
    assert quiet.out == truncated.out == embed().out


def test_error_names_file_and_line() -> None:
    result = embed("--overflow", "error")
    assert (result.code, result.out) == (3, "")
    why = f"the text is longer than the 256 tokens that {MINILM} reads; use --overflow truncate or chunk"
    assert result.error_line == f"texts.txt:2: {why}"
    pairs = simil("compare", "--pairs", "one.tsv", "--overflow", "error")
    assert (pairs.code, pairs.error_line) == (3, f"one.tsv:2: {why}")
    words = simil("compare", "short", LONG, "--overflow", "error")
    assert (words.code, words.error_line) == (3, f"text:2: {why}")


def test_error_with_skip_leaves_out_the_long_ones() -> None:
    result = embed("--overflow", "error", "--on-error", "skip", "-q")
    assert result.code == 6
    assert [row.partition(",")[0] for row in result.out.splitlines()] == ["id", "1", "3"]
    assert [line.split(":")[1:3] for line in result.err.splitlines()[:2]] == [[" texts.txt", n] for n in "24"]


def test_chunk_is_silent_and_hears_the_end_of_the_text() -> None:
    assert embed("--overflow", "chunk").err == ""
    lost = simil("compare", LONG, f"{LONG} {'thunder and lightning ' * 60}", "-q", "--threshold", "0.9999")
    heard = simil(
        "compare",
        LONG,
        f"{LONG} {'thunder and lightning ' * 60}",
        "-q",
        "--threshold",
        "0.9999",
        "--overflow",
        "chunk",
    )
    assert (lost.code, heard.code, heard.err) == (0, 1, "")


def test_policy_from_the_environment() -> None:
    assert simil("embed", "texts.txt", "-o", "v.npy", env={"SIMIL_OVERFLOW": "error"}).code == 3

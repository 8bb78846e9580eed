"""What `simil embed --on ray` cannot do is refused in one line, before Ray starts."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.command import simil


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["texts.txt", "-o", "vectors.parquet", "--on", "ray"], 2, "name a folder"),
        (["texts.txt", "--on", "ray"], 2, "name a folder"),
        (["-", "-o", "vectors", "--on", "ray"], 2, "standard input"),
        (["-t", "a text", "-o", "vectors", "--on", "ray"], 2, "--text"),
        (["texts.txt", "-o", "vectors", "--on", "spark"], 2, "ray://HOST:PORT"),
        (["texts.txt", "-o", "vectors", "--actors", "2"], 2, "--on ray"),
        (["texts.csv", "--field", "a", "--field", "b", "-o", "vectors", "--on", "ray"], 2, "one field"),
        (["nothing.txt", "-o", "vectors", "--on", "ray"], 3, "nothing.txt: no such file"),
        (["*.csv", "-o", "vectors", "--on", "ray"], 3, "no file matches"),
    ],
)
def test_what_a_cluster_cannot_do_is_refused(
    arguments: list[str], code: int, said: str, tmp_path: Path
) -> None:
    tmp_path.joinpath("texts.txt").write_text("one\n")

    refused = simil("embed", "-m", "minilm", *arguments, cwd=tmp_path)

    assert (refused.code, refused.out) == (code, "")
    assert said in refused.error_line
    assert not tmp_path.joinpath("vectors").exists()

"""What `simil search` asks of a model, and where it looks."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.command import simil


@pytest.mark.usefixtures("plugins")
def test_only_the_query_is_embedded_as_a_query(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("a tree\na stone\n", "utf-8")
    result = simil("search", "-m", "plugin:prompted", "oak", "t.txt", cwd=tmp_path)
    assert result.code == 0
    assert result.err == "document: a tree, a stone\nquery: oak\n"


@pytest.mark.usefixtures("plugins")
def test_a_refused_text_is_left_out_of_a_search(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("a tree\na bad stone\n", "utf-8")
    command = ["search", "-m", "plugin:refusing", "tree", "t.txt"]
    stopped, skipped = (simil(*command, *more, cwd=tmp_path) for more in ([], ["--on-error", "skip"]))
    assert (stopped.code, stopped.out) == (3, "")
    assert "t.txt:2" in stopped.error_line
    assert (skipped.code, skipped.out.split("\t")[1:]) == (6, ["t.txt:1", "a tree\n"])


@pytest.mark.usefixtures("plugins")
def test_dedupe_leaves_out_a_refused_text_and_its_copies(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("a tree\nbad\nbad\na tree\n", "utf-8")
    result = simil(
        "dedupe", "-m", "plugin:refusing", "--threshold", "1", "--on-error", "skip", "t.txt", cwd=tmp_path
    )
    assert (result.code, result.out) == (6, "a tree\n")

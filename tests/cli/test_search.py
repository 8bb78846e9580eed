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


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """A folder with a text, files that are none, and files that nobody asks for."""
    for name, content in (
        ("a.txt", b"a tree\n"), ("latin.txt", b"caf\xe9\n"), ("old/latin.txt", b"na\xefve\n"),
        ("b.bin", b"\0\1"), (".hidden", b"\xff"), (".gitignore", b"*.log\n"), ("ignored.log", b"\xff"),
    ):  # fmt: skip
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    return tmp_path


@pytest.mark.usefixtures("plugins")
def test_files_of_a_folder_that_are_left_out_are_counted(mixed: Path) -> None:
    result = simil("search", "-r", "tree", cwd=mixed)
    assert (result.code, result.out.split("\t")[1:]) == (0, ["./a.txt:1", "a tree\n"])
    hint = "(-v names them; --encoding reads other text)"
    assert result.error_line == f"3 files left out: 2 not UTF-8 text, 1 binary {hint}"
    (mixed / "b.bin").unlink()
    result = simil("search", "-r", "tree", "a.txt", "old", "latin.txt", cwd=mixed)
    assert result.code == 3  # A file that is named is to be read.
    result = simil("search", "-r", "tree", "a.txt", "old", cwd=mixed)
    assert result.error_line == f"1 file left out: not UTF-8 text {hint}"
    assert simil("search", "-q", "-r", "tree", cwd=mixed).err == ""


@pytest.mark.usefixtures("plugins")
def test_verbose_names_the_files_that_are_left_out(mixed: Path) -> None:
    result = simil("search", "-v", "-r", "tree", cwd=mixed)
    assert [line for line in result.err.splitlines() if "left out" in line] == [
        "simil: ./b.bin left out: binary",
        "simil: ./latin.txt left out: not UTF-8 text",
        "simil: ./old/latin.txt left out: not UTF-8 text",
        "simil: 3 files left out: 2 not UTF-8 text, 1 binary (--encoding reads other text)",
    ]


@pytest.mark.usefixtures("plugins")
def test_files_of_a_folder_are_read_in_their_encoding(mixed: Path) -> None:
    """A byte order mark tells it, else the option."""
    for encoding in ("utf-8-sig", "utf-16", "utf-32"):
        (mixed / f"{encoding}.txt").write_bytes(f"th\xe9 for {encoding}\r\n".encode(encoding))
    result = simil("search", "-r", "-k", "9", "tree", cwd=mixed)
    assert {line.split("\t")[2] for line in result.out.splitlines()} == {
        "a tree", "th\xe9 for utf-8-sig", "th\xe9 for utf-16", "th\xe9 for utf-32",
    }  # fmt: skip
    assert result.error_line.startswith("3 files left out: 2 not UTF-8 text, 1 binary (")
    (mixed / "cut.txt").write_bytes("\ufeffcut".encode("utf-16-le")[:-1])
    result = simil("search", "-r", "--encoding", "latin1", "-k", "9", "tree", cwd=mixed)
    found = {line.split("\t")[2] for line in result.out.splitlines()}
    assert {"a tree", "caf\xe9", "na\xefve", "th\xe9 for utf-16"} <= found
    assert result.error_line == "2 files left out: 1 binary, 1 not latin1 text (-v names them)"
    assert simil("search", "-r", "--encoding", "none", "tree", cwd=mixed).code == 2

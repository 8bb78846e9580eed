"""Walking folders as a person means it: Git itself says which files it ignores."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from simil.texts import files_in

FILES = [
    "a.txt", "b.log", "keep.log", "build/out.txt", "src/build/x.txt", "src/a.py", "src/notes.txt",
    "src/sub/notes.txt", "src/sub/deep/c.txt", "docs/a b.md", "docs/é.md", "temp", "src/temp/t.txt",
    "logs/x.log", "logs/y.txt",
]  # fmt: skip
IGNORE = {
    ".gitignore": "*.log\n!keep.log\n/build/\ntemp\n# a comment\ndocs/*.tmp\n",
    "src/.gitignore": "notes.txt\n",
    "src/sub/.gitignore": "!notes.txt\n/deep/\n",
    "logs/.gitignore": "*\n",
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in FILES:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{name}\n", "utf-8")
    for name, text in IGNORE.items():
        (tmp_path / name).write_text(text, "utf-8")
    return tmp_path


def walked(folder: Path) -> list[str]:
    return [str(Path(path).relative_to(folder)) for path in files_in(str(folder))]


def test_it_leaves_out_what_git_leaves_out(tree: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tree)], check=True)
    listed = subprocess.run(
        ["git", "-C", str(tree), "ls-files", "-z", "--others", "--exclude-standard"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\0")
    expected = {name for name in listed if name and not Path(name).name.startswith(".")}
    assert {"keep.log", "src/sub/notes.txt", "docs/é.md"} <= expected
    assert set(walked(tree)) == expected


def test_in_order_and_without_what_is_no_text(tree: Path) -> None:
    (tree / "binary").write_bytes(b"text\0and more")
    (tree / "latin").write_bytes("é".encode("latin-1"))
    (tree / "cut").write_bytes("é".encode()[:1])
    (tree / ".hidden").write_text("x")
    (tree / ".folder").mkdir()
    (tree / ".folder/x.txt").write_text("x")
    (tree / "loop").symlink_to(tree, target_is_directory=True)
    (tree / "link.txt").symlink_to(tree / "a.txt")
    found = walked(tree)
    assert found == sorted(found, key=lambda name: name.split("/"))
    assert found[:3] == ["a.txt", "docs/a b.md", "docs/é.md"]
    assert {"link.txt"} == set(found) & {"binary", "latin", "cut", ".hidden", "loop", "link.txt"}


def test_a_folder_that_is_not_there_or_empty(tmp_path: Path) -> None:
    assert walked(tmp_path) == []
    assert [*files_in(str(tmp_path / "none"))] == []

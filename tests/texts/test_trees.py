"""Walking folders as a person means it: Git itself says which files it ignores."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import lance
import pyarrow
import pytest

from simil.errors import InputError
from simil.formats.detection import typed
from simil.formats.sources import Source
from simil.texts import InputFormat, ReadOptions, read_texts
from simil.texts.trees import LeftOut, files_in

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


def test_what_is_left_out_is_reported_but_for_what_nobody_means(tree: Path) -> None:
    (tree / "binary").write_bytes(b"text\0and more")
    (tree / "docs" / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
    (tree / "latin").write_bytes("\xe9".encode("latin-1"))
    (tree / "late").write_bytes(b"x" * 200_000 + b"\xff")
    (tree / "cut").write_bytes("\xe9".encode()[:1])
    (tree / "utf16-without-mark").write_bytes("text".encode("utf-16-le"))
    (tree / "unreadable").symlink_to("/proc/self/mem")
    (tree / "ignored.log").write_bytes(b"\xff")
    (tree / ".hidden").write_bytes(b"\xff")
    (tree / "loop").symlink_to(tree, target_is_directory=True)
    (tree / "lost").symlink_to("nowhere")
    os.mkfifo(tree / "pipe")
    reported: dict[str, LeftOut] = {}
    found = {*files_in(str(tree), on_left_out=reported.__setitem__)}
    assert {os.path.relpath(path, tree): reason for path, reason in reported.items()} == {
        "binary": LeftOut.BINARY,
        "docs/picture.png": LeftOut.BINARY,
        "latin": LeftOut.UNDECODED,
        "late": LeftOut.UNDECODED,
        "cut": LeftOut.UNDECODED,
        "utf16-without-mark": LeftOut.BINARY,
        "unreadable": LeftOut.UNREADABLE,
    }
    assert not found & reported.keys()


def test_a_lance_dataset_is_left_out_as_one_file(tree: Path) -> None:
    table = pyarrow.table({"id": ["1"], "text": ["a tree"]})
    for name in ("tables/corpus.lance", "Upper.LANCE"):
        (tree / name).parent.mkdir(exist_ok=True)
        lance.write_dataset(table, str(tree / name))
    (tree / "source.lance").mkdir()
    (tree / "source.lance" / "readme.md").write_text("a folder that only has the name")
    reported: dict[str, LeftOut] = {}
    found = [os.path.relpath(path, tree) for path in files_in(str(tree), on_left_out=reported.__setitem__)]
    assert {os.path.relpath(path, tree): reason for path, reason in reported.items()} == {
        "Upper.LANCE": LeftOut.DATASET,
        "tables/corpus.lance": LeftOut.DATASET,
    }
    assert "source.lance/readme.md" in found
    assert not [name for name in found if "corpus" in name or "Upper" in name]


def test_what_a_reader_would_refuse_is_left_out_before_anything_is_embedded(tmp_path: Path) -> None:
    (tmp_path / "paper.pdf").write_text("%PDF-1.7\nonly ASCII\n")
    (tmp_path / "lines.txt").write_text("a line of 12\n" * 10_000)
    (tmp_path / "one-line.json").write_text("x" * 70_000 + "\nend\n")
    (tmp_path / "short.txt").write_text("short\n")
    reported: dict[str, LeftOut] = {}
    found = files_in(str(tmp_path), text_limit=69_999, on_left_out=reported.__setitem__)
    assert [Path(path).name for path in found] == ["lines.txt", "short.txt"]
    assert [*reported.values()] == [LeftOut.TOO_LONG, LeftOut.BINARY]
    whole = files_in(str(tmp_path), text_limit=69_999, whole=True)
    assert [Path(path).name for path in whole] == ["short.txt"]
    assert len([*files_in(str(tmp_path), text_limit=70_000)]) == 3


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
def test_the_limit_of_a_text_is_that_of_its_reader(encoding: str, whole: bool, tmp_path: Path) -> None:
    mac, ends = "ab\r" * 20 + "ab", "\u20ac" * 20 + "\r\n"  # no line feed; a sign of three bytes in UTF-8
    for name, text in (("mac.txt", mac), ("euro.txt", ends)):
        (tmp_path / name).write_bytes(text.encode(encoding))
    for limit in (1, 2, 59, 60, 61, 62, 63):
        options = ReadOptions(InputFormat.TEXT, whole=whole, encoding=encoding, max_text_bytes=limit)
        read = [path for path in sorted(tmp_path.iterdir()) if _is_read(path, options)]
        found = files_in(str(tmp_path), encoding=encoding, text_limit=limit, whole=whole)
        assert [*found] == [str(path) for path in read], limit


def _is_read(path: Path, options: ReadOptions) -> bool:
    source = Source(str(path), text_limit=options.text_limit)
    try:
        return bool([*read_texts([typed(source, InputFormat.TEXT)], options, on_blank=lambda place: None)])
    except InputError:
        return False


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_a_byte_order_mark_shows_text(encoding: str, tmp_path: Path) -> None:
    mark = "" if encoding == "utf-8-sig" else "\ufeff"
    long = "caf\xe9 \U0001f600 " * 30_000  # more than is read at once
    for name, text in (("short.txt", "a"), ("long.txt", long), ("empty.txt", "")):
        (tmp_path / name).write_bytes(f"{mark}{text}".encode(encoding))
    (tmp_path / "binary").write_bytes(f"{mark}a\0b".encode(encoding))
    if mark:
        (tmp_path / "cut").write_bytes(f"{mark}ab".encode(encoding)[:-1])
    assert walked(tmp_path) == ["empty.txt", "long.txt", "short.txt"]


def test_text_in_a_named_encoding(tmp_path: Path) -> None:
    (tmp_path / "latin.txt").write_bytes("caf\xe9".encode("latin-1"))
    (tmp_path / "utf16.txt").write_bytes("caf\xe9".encode("utf-16"))
    (tmp_path / "binary").write_bytes(b"a\0b")
    reported: list[str] = []
    found = files_in(
        str(tmp_path), encoding="cp1252", on_left_out=lambda path, reason: reported.append(reason)
    )
    assert [Path(path).name for path in found] == ["latin.txt", "utf16.txt"]
    assert reported == [LeftOut.BINARY]


def test_a_folder_that_is_not_there_or_empty(tmp_path: Path) -> None:
    assert walked(tmp_path) == []
    reported: dict[str, LeftOut] = {}
    assert [*files_in(str(tmp_path / "none"), on_left_out=reported.__setitem__)] == []
    assert reported == {str(tmp_path / "none"): LeftOut.UNREADABLE}

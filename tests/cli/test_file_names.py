"""Names of files come out as the system has them, so that the next program opens what was found."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pyarrow import feather
from support.command import on_terminal, shell, simil

# Not UTF-8; a tab and a line end; blanks that a message must not fold; a colour; what JSON would escape.
NAMES = (b"caf\xe9.txt", b"tab\tand\nline.txt", b"two  blanks.txt", b"\x1b[31mred.txt", b'quote"\\.txt')
TEXTS = ("fish swim", "trains run on rails", "bread is baked", "a red apple", "the moon is round")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "d").mkdir()
    for name, text in zip(NAMES, TEXTS, strict=True):
        path = tmp_path / "d" / os.fsdecode(name)
        path.write_text(f"{text}\n", "ascii")
    return tmp_path


def output(folder: Path, script: str) -> bytes:
    """Return the bytes that a line of shell prints."""
    done = shell(f"{{ {script} ;}} > out", cwd=folder)
    assert done.code == 0, done.err
    return (folder / "out").read_bytes()


@pytest.mark.parametrize(
    ("name", "text"), [*zip(NAMES, TEXTS, strict=True)], ids=["latin1", "lines", "blanks", "escape", "quote"]
)
def test_xargs_opens_what_is_found(name: bytes, text: str, folder: Path) -> None:
    found = shell(f"simil search -q -l -0 -k 1 -r '{text}' d | xargs -0 cat", cwd=folder)
    assert (found.code, found.out) == (0, f"{text}\n")
    assert output(folder, f"simil search -q -l -0 -k 1 -r '{text}' d") == b"d/" + name + b"\0"
    assert output(folder, f"simil search -q -l -k 1 -r '{text}' d") == b"d/" + name + b"\n"
    assert output(folder, f"simil search -q -c -0 -k 1 -r '{text}' d") == b"1\td/" + name + b"\0"


@pytest.mark.parametrize("form", ["json", "jsonl"])
@pytest.mark.parametrize(
    "command",
    [
        "search -r fish d",
        "search -r --whole fish d",
        "search -r --chunk paragraphs fish d",
        "dedupe --show groups --threshold -1 d/*",
        "dedupe --show pairs --threshold -1 d/*",
        "classify --label fish --label trains d/*",
        "cluster -n 2 --members 9 d/*",
        "outliers -n 3 d/*",
    ],
)
def test_python_opens_the_file_that_json_names(command: str, form: str, folder: Path) -> None:
    result = simil(*shell_words(folder, command), "-q", "-f", form, cwd=folder)
    assert result.code == 0, result.err
    rows = [json.loads(line) for line in result.out.splitlines()] if form == "jsonl" else rows_of(result.out)
    named = [row for row in rows if "file" in row]
    assert named
    for row in named:
        text = row.get("content") or row["text"]
        assert (folder / row["file"]).read_text("ascii").strip() == text.strip()


def shell_words(folder: Path, command: str) -> list[str | bytes]:
    """Return the words of a command, with d/* as the shell expands it."""
    names: list[str | bytes] = [b"d/" + name for name in sorted(NAMES)]
    words: list[str | bytes] = []
    for word in command.split():
        words += names if word == "d/*" else [word]
    return words


def rows_of(document: str) -> list[dict[str, str]]:
    """Return all objects of a JSON document."""
    found: list[dict[str, str]] = []
    json.loads(document, object_hook=lambda value: found.append(value) or value)  # type: ignore[func-returns-value]
    return found


@pytest.mark.parametrize("form", ["csv", "tsv", "plain"])
def test_tables_hold_the_bytes_of_a_name(form: str, folder: Path) -> None:
    option = "" if form == "plain" else f"-f {form}"
    shown = output(folder, f"simil search -q -r fish d {option}")
    assert b"d/caf\xe9.txt" in shown
    assert b"d/two  blanks.txt" in shown
    assert b"d/tab\tand\nline.txt" in shown if form == "csv" else b"d/tab\\tand\\nline.txt" in shown


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_tables_of_unicode_show_which_name_it_is(form: str, folder: Path) -> None:
    out = folder / f"out.{form}"
    assert simil("search", "-q", "-r", "fish", "d", "-o", str(out), cwd=folder).code == 0
    files = (pq.read_table if form == "parquet" else feather.read_table)(out)["file"].to_pylist()
    names = {name.decode("utf-8", "surrogateescape") for name in NAMES[1:]} | {"caf\\udce9.txt"}
    assert set(files) == {f"d/{name}" for name in names}


def test_context_has_the_same_names(folder: Path) -> None:
    (folder / "d" / os.fsdecode(NAMES[0])).write_text("a\nfish swim\nb\n", "ascii")
    shown = output(folder, "simil search -q -k 1 -C 1 'fish swim' d/caf*")
    lines = [line.split(b"\t")[1] for line in shown.splitlines()]
    assert lines == [b"d/caf\xe9.txt-1", b"d/caf\xe9.txt:2", b"d/caf\xe9.txt-3"]


def test_whole_files_that_are_kept_are_listed_by_name(folder: Path) -> None:
    names = [b"d/" + name for name in NAMES if b"\n" not in name]
    done = subprocess.run(["/bin/ls", *names], cwd=folder, capture_output=True, check=True)
    assert b"caf\xe9" in done.stdout
    arguments = " ".join(f"'{os.fsdecode(name)}'" for name in names)
    script = f"simil dedupe -q --exact --whole {arguments}"
    assert output(folder, script).splitlines() == names


def test_a_cache_directory_whose_name_is_not_utf8_is_refused(tmp_path: Path) -> None:
    cache = tmp_path / os.fsdecode(b"caf\xe9")
    result = simil("cache", "path", env={"SIMIL_CACHE_DIR": str(cache)})
    assert (result.code, result.out) == (2, "")
    assert r"caf\udce9: the name of the cache directory is not UTF-8; " in result.error_line


@pytest.mark.parametrize(
    ("name", "shown"),
    [(b"no\xe9", r"no\udce9"), (b"a  b", "a  b"), (b"a\nb", r"a\nb"), (b"\x1bc", r"\u001bc")],
)
def test_messages_show_which_file_they_mean(name: bytes, shown: str, folder: Path) -> None:
    result = simil("embed", name, cwd=folder)
    assert result.code == 3
    assert result.error_line.startswith(f"{shown}: no such file; ")


def test_a_terminal_shows_names_one_can_tell_apart(folder: Path) -> None:
    shown = on_terminal("simil search -q -l -r fish d", 80, cwd=folder).out
    names = [r"caf\udce9.txt", r"tab\tand\nline.txt", "two  blanks.txt", r"\u001b[31mred.txt", 'quote"\\.txt']
    assert sorted(shown.splitlines()) == sorted(f"d/{name}" for name in names)


def test_what_cannot_be_opened_or_written_is_said_in_a_line(tmp_path: Path) -> None:
    model = tmp_path / os.fsdecode(b"mod\xe8le")
    model.mkdir()
    (model / "config.json").write_text("{}", "ascii")
    result = simil("compare", "-m", b"./mod\xe8le", "a", "b", cwd=tmp_path)
    assert (result.code, result.out) == (4, "")
    assert result.error_line.endswith(r"mod\udce8le: the name of the folder is not UTF-8; rename it")
    cache = {"SIMIL_CACHE_DIR": os.fsdecode(bytes(tmp_path) + b"/caf\xe9")}
    found = simil("doctor", "--offline", "-f", "json", cwd=tmp_path, env=cache)
    assert any(r"caf\udce9" in check["detail"] for check in json.loads(found.out))

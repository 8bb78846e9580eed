"""`-o FILE`: whole or not at all, with the rights and at the place that the user expects."""

from __future__ import annotations

import json
import os
import signal
import stat
import time
from pathlib import Path

import numpy as np
import pytest
from support.command import Result, shell, simil, started

pytestmark = pytest.mark.usefixtures("plugins")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("name", ["v.json", "v.jsonl", "v.csv", "v.tsv", "v.npy"])
def test_failing_run_leaves_the_old_file_and_nothing_else(folder: Path, name: str) -> None:
    folder.joinpath(name).write_text("old", "ascii")
    result = simil("embed", "-m", "plugin:refusing", "-o", name, stdin=b"fine\nbad\n")
    assert result.code == 3
    assert folder.joinpath(name).read_text("ascii") == "old"
    assert names(folder) == [name]


def test_failing_comparison_leaves_the_old_file(folder: Path) -> None:
    folder.joinpath("s.json").write_text("old", "ascii")
    folder.joinpath("p.tsv").write_text("a\tb\ntea\teat\ntea\n", "ascii")
    assert simil("compare", "--pairs", "p.tsv", "-o", "s.json").code == 3
    assert simil("compare", "-m", "plugin:refusing", "tea", "bad", "-o", "s.json").code == 3
    assert folder.joinpath("s.json").read_text("ascii") == "old"
    assert names(folder) == ["p.tsv", "s.json"]


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_killed_run_leaves_the_old_file_and_nothing_else(folder: Path, sent: signal.Signals) -> None:
    folder.joinpath("v.npy").write_text("old", "ascii")
    with started("embed", "-o", "v.npy") as child:
        child.write(b"a text\n")
        wait_for_temporary(folder)
        child.signal(sent)
        assert child.finish() == Result(128 + sent, "", "")
    assert folder.joinpath("v.npy").read_text("ascii") == "old"
    assert names(folder) == ["v.npy"]


def wait_for_temporary(folder: Path) -> None:
    """Return once the run writes."""
    deadline = time.monotonic() + 60
    while not any(name.startswith(".v.npy") for name in names(folder)):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def temporaries(folder: Path, count: int) -> set[Path]:
    """Return the temporary files once there are as many."""
    deadline = time.monotonic() + 60
    while len(found := {*folder.glob(".*.simil-*.part")}) != count:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found


def test_nothing_is_there_until_all_is(folder: Path) -> None:
    with started("embed", "-o", "v.npy") as child:
        child.write(b"a text\n")
        wait_for_temporary(folder)
        assert not {"v.npy", "v.npy.json"} & set(names(folder))
        child.write(b"another\n")
        assert child.finish() == Result(0, "", "")
    assert names(folder) == ["v.npy", "v.npy.json"]
    assert np.load(folder / "v.npy").shape == (2, 8)
    beside = json.loads(folder.joinpath("v.npy.json").read_bytes())
    assert [item["text"] for item in beside["data"]] == ["a text", "another"]
    assert (beside["model"], beside["dimensions"], beside["count"]) == ("letters@1", 8, 2)


@pytest.mark.parametrize(("mask", "mode"), [("022", 0o644), ("077", 0o600), ("002", 0o664)])
def test_new_file_has_the_rights_that_umask_leaves(folder: Path, mask: str, mode: int) -> None:
    assert shell(f"umask {mask}; simil compare tea rat -o s.json").code == 0
    assert stat.S_IMODE(folder.joinpath("s.json").stat().st_mode) == mode


def test_replaced_file_keeps_its_rights(folder: Path) -> None:
    folder.joinpath("s.json").write_text("old", "ascii")
    folder.joinpath("s.json").chmod(0o640)
    assert simil("compare", "tea", "rat", "-o", "s.json").code == 0
    assert stat.S_IMODE(folder.joinpath("s.json").stat().st_mode) == 0o640


def test_link_stays_and_what_it_points_to_is_replaced(folder: Path) -> None:
    target = folder / "elsewhere" / "real.json"
    target.parent.mkdir()
    target.write_text("old", "ascii")
    folder.joinpath("s.json").symlink_to(target)
    assert simil("compare", "tea", "rat", "-o", "s.json").code == 0
    assert folder.joinpath("s.json").is_symlink()
    assert json.loads(target.read_bytes())["metric"] == "cosine"
    assert names(target.parent) == ["real.json"]


def test_standard_output_by_name_is_a_pipe_like_any_other() -> None:
    result = shell("simil compare tea rat -f csv -o /dev/stdout | cat")
    assert (result.out.splitlines()[0], result.err) == ("score,a,b", "")
    gone = shell("{ simil compare tea rat -f csv -o /dev/stdout; echo $? >&2; } | true")
    assert gone.err == "141\n"


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("nowhere/s.json", "cannot be written: No such file or directory"),
        (".json/", "is a directory"),
        ("/dev/full", "cannot be written: No space left on device"),
    ],
)
def test_place_that_cannot_be_written_is_a_wrong_call(folder: Path, name: str, problem: str) -> None:
    folder.joinpath(".json").mkdir()
    result = simil("compare", "tea", "rat", "-f", "json", "-o", name)
    assert result.code == 2
    assert problem in result.error_line
    assert os.path.normpath(name) in result.error_line


def test_form_and_place_are_checked_before_the_work(folder: Path) -> None:
    # The busy model never comes to an end with the texts.
    for arguments in (["-o", "s.xlsx"], ["-f", "yaml"], ["-o", "nowhere/s.json"]):
        assert simil("compare", "-m", "plugin:busy", "a", "b", *arguments).code == 2
        assert simil("embed", "-m", "plugin:busy", "-t", "a", *arguments).code == 2
    assert names(folder) == []


def test_name_as_long_as_names_can_be(folder: Path) -> None:
    name = "n" * 250 + ".json"
    assert simil("compare", "tea", "rat", "-o", name).code == 0
    assert names(folder) == [name]


def test_what_a_killed_run_left_goes_with_the_next_one_and_nothing_else(folder: Path) -> None:
    others = [".v.npy.0123456789abcdef", ".x.simil-0123456789abcdef.parts", "x.simil-0123456789abcdef.part"]
    for name in others:
        folder.joinpath(name).write_text("of another program", "ascii")
    arguments = ("embed", "-o", "v.npy")
    with started(*arguments) as writing, started(*arguments) as killed:
        writing.write(b"a text\n")
        of_writing = temporaries(folder, 2)
        killed.write(b"a text\n")
        temporaries(folder, 4)
        killed.signal(signal.SIGKILL)
        assert simil("compare", "tea", "rat", "-o", "s.json").code == 0
        # What is written at the same time is left alone.
        assert temporaries(folder, 2) == of_writing
        assert writing.finish() == Result(0, "", "")
    assert names(folder) == sorted([*others, "s.json", "v.npy", "v.npy.json"])
    assert np.load(folder / "v.npy").shape == (1, 8)

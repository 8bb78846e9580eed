"""Runs that are forked for the tests: they go on as a new process does, or are one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.command import Result, shell, simil

_CODE = """
import os

import numpy as np

from simil.embedders.base import Embedder


class Parent(Embedder):
    stamp = "parent@1"
    dimensions = 1

    def embed_batch(self, texts):
        return np.full((len(texts), 1), os.getppid(), np.float32)
"""


@pytest.fixture(autouse=True)
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a plug-in whose vector is the number of its process's parent."""
    folder = tmp_path / "packages"
    facts = folder / "parent-1.dist-info"
    facts.mkdir(parents=True)
    folder.joinpath("parent.py").write_text(_CODE, "utf-8")
    facts.joinpath("METADATA").write_text("Metadata-Version: 2.1\nName: parent\nVersion: 1\n", "utf-8")
    facts.joinpath("entry_points.txt").write_text("[simil.embedders]\nparent = parent:Parent\n", "utf-8")
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return folder


def parent(**env: str) -> int:
    values = simil(
        "embed", "-m", "plugin:parent", "-t", "a", "-f", "csv", "--no-normalize", "--no-cache", env=env
    )
    assert values.code == 0, values.err
    return int(float(values.out.split(",")[-1]))


def test_usual_runs_are_forked() -> None:
    assert parent() == parent() != os.getpid()


@pytest.mark.parametrize("name", ["PYTHONIOENCODING", "PYTHONUTF8", "LC_ALL", "OPENBLAS_NUM_THREADS", "TZ"])
def test_variables_that_matter_at_the_start_make_a_new_process(name: str) -> None:
    value = {"PYTHONIOENCODING": "utf-8", "LC_ALL": "C.UTF-8", "TZ": "UTC"}.get(name, "1")
    assert parent(**{name: value}) == os.getpid()


def test_a_module_that_hides_an_imported_one_makes_a_new_process(packages: Path) -> None:
    packages.joinpath("sitecustomize.py").write_text("", "utf-8")
    assert parent() == os.getpid()


def test_a_run_has_its_own_folder_umask_variables_and_ignored_signals(tmp_path: Path) -> None:
    script = "umask 027; trap '' HUP; cd packages; simil embed -m plugin:parent -t a -o v.npy && echo $?"
    assert shell(script, cwd=tmp_path, env={"SIMIL_OVERFLOW": "error"}) == Result(0, "0\n", "")
    assert tmp_path.joinpath("packages", "v.npy").stat().st_mode & 0o777 == 0o640


def test_a_run_that_is_killed_is_seen_to_be(plugins: None) -> None:
    assert simil("embed", "-m", "plugin:dying", "-t", "a").code == -9


def test_a_run_has_the_files_that_a_shell_has_opened_for_it(tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_text("a\n", "utf-8")
    script = "exec 4< texts.txt; simil embed /dev/fd/4 -m plugin:parent -f csv --no-normalize --no-cache"
    found = shell(script, cwd=tmp_path)
    assert (found.code, found.err) == (0, "")
    assert int(float(found.out.split(",")[-1])) == parent()
    assert parent() != os.getpid()


def test_codes_are_handed_on() -> None:
    assert simil("--nothing").code == 2
    assert simil("embed", "missing.txt").code == 3

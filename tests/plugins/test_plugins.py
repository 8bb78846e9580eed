"""Embedders of other packages, installed and used from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from plugins.conftest import BROKEN, LETTERS, Ran, Simil, declare, install


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a working plug-in, installed by pip, and a broken one."""
    target = tmp_path_factory.mktemp("packages")
    install("letters", LETTERS, tmp_path_factory.mktemp("work"), target)
    declare("broken", BROKEN, target)
    return target


def _one_line(ran: Ran, code: int) -> str:
    assert ran.returncode == code, ran.stderr
    assert ran.stdout == ""
    assert ran.stderr.count("\n") == 1, ran.stderr
    assert ran.stderr.startswith("simil: ")
    return ran.stderr


def test_ten_lines_make_a_model(simil: Simil, packages: Path) -> None:
    assert len(LETTERS.strip().splitlines()) <= 10
    ran = simil(
        packages, "embed", "-m", "plugin:letters", "--format", "jsonl", "--no-normalize", stdin="Abba\nzoo\n"
    )

    assert (ran.returncode, ran.stderr) == (0, "")
    rows = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [row["text"] for row in rows] == ["Abba", "zoo"]
    assert [row["model"] for row in rows] == ["plugin:letters"] * 2
    assert rows[0]["embedding"] == [2, 2, *[0] * 24]
    assert (rows[1]["embedding"][14], rows[1]["embedding"][25]) == (2, 1)


def test_it_compares_as_any_model_does(simil: Simil, packages: Path) -> None:
    ran = simil(packages, "compare", "-m", "plugin:letters", "listen", "silent")

    assert (ran.returncode, ran.stderr) == (0, "")
    assert float(ran.stdout) == pytest.approx(1)


def test_a_broken_one_beside_it_harms_no_other_model(simil: Simil, packages: Path) -> None:
    ran = simil(packages, "compare", "-m", "minilm", "Apple", "Orange")

    assert (ran.returncode, ran.stderr) == (0, "")


def test_the_broken_one_is_an_error_in_one_line(simil: Simil, packages: Path) -> None:
    said = _one_line(simil(packages, "embed", "-m", "plugin:broken", "--text", "a"), 4)

    assert "the plug-in broken (simil_broken:Letters) is broken: ModuleNotFoundError" in said


def test_an_unknown_one_names_the_nearest_and_lists_the_installed(simil: Simil, packages: Path) -> None:
    said = _one_line(simil(packages, "embed", "-m", "plugin:leters", "--text", "a"), 4)

    assert said == (
        "simil: there is no plug-in 'leters'; did you mean plugin:letters? installed: broken, letters\n"
    )


def test_without_any_the_list_is_none(simil: Simil, tmp_path: Path) -> None:
    said = _one_line(simil(tmp_path, "embed", "-m", "plugin:letters", "--text", "a"), 4)

    assert said == "simil: there is no plug-in 'letters'; installed: none\n"


_HEAD = "import numpy as np\nfrom simil.embedders.base import Embedder\nfrom simil.errors import QuotaSpent\n"
_CLASS = f"{_HEAD}class Letters(Embedder):\n    dimensions = 3\n    def embed_batch(self, texts):\n        "


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (f"{_CLASS}return np.zeros((len(texts) + 1, 3))", "vectors of shape (2, 3) for 1 texts"),
        (f"{_CLASS}return np.zeros(3)", "vectors of shape (3,) for 1 texts"),
        (f"{_CLASS}return None", "plugin:odd returned object, no array of numbers"),
        (f"{_CLASS}return np.zeros((len(texts), 4))", "declares 3 dimensions but returned 4"),
        (f"{_CLASS}return np.full((len(texts), 3), np.nan)", "a value that is not finite, for text 1"),
        (f"{_CLASS}return np.full((len(texts), 3), np.inf)", "a value that is not finite, for text 1"),
        (f"{_CLASS}return [[1, 2, 3], [1]]", "plugin:odd failed: ValueError"),
        (f"{_CLASS}return 1 / 0", "plugin:odd failed: ZeroDivisionError: division by zero"),
        (f"{_CLASS}raise RuntimeError('one\\ntwo')", "plugin:odd failed: RuntimeError: one two"),
        ("class Letters:\n    pass", "(simil_odd:Letters) is not an Embedder"),
        (f"{_HEAD}class Letters(Embedder):\n    pass", "is broken: TypeError"),
        ("Other = 1", "is broken: AttributeError"),
        ("def", "is broken: SyntaxError"),
    ],
)
def test_a_fault_of_a_plugin_is_one_line(code: str, said: str, simil: Simil, tmp_path: Path) -> None:
    declare("odd", code, tmp_path / "packages")

    assert said in _one_line(simil(tmp_path / "packages", "embed", "-m", "plugin:odd", "-t", "a"), 4)


def test_a_text_for_which_a_plugin_gives_nan_is_named(simil: Simil, tmp_path: Path) -> None:
    code = f"{_CLASS}return np.array([[1, 2, np.nan if 'bad' in text else 3] for text in texts])"
    declare("odd", code, tmp_path / "packages")
    arguments = ("embed", "-m", "plugin:odd", "-t", "a", "-t", "bad", "-t", "b", "-f", "jsonl", "--on-error")

    failed = simil(tmp_path / "packages", *arguments, "fail")
    said = "--text:2: plugin:odd returned a value that is not finite"
    assert _one_line(failed, 3) == f"simil: {said}\n"
    kept = simil(tmp_path / "packages", *arguments, "null")
    assert kept.returncode == 6
    assert [json.loads(line)["embedding"] is None for line in kept.stdout.splitlines()] == [
        False,
        True,
        False,
    ]


def test_an_error_that_a_plugin_raises_on_purpose_keeps_its_exit_code(simil: Simil, tmp_path: Path) -> None:
    code = f"{_CLASS}raise QuotaSpent('nothing left', hint='wait a day')"
    declare("paid", code, tmp_path / "packages")

    said = _one_line(simil(tmp_path / "packages", "embed", "-m", "plugin:paid", "-t", "a"), 5)
    assert said == "simil: nothing left; wait a day\n"


def test_two_packages_with_one_name_are_told_apart_by_neither(simil: Simil, tmp_path: Path) -> None:
    for folder in ("one", "two"):
        declare("letters", LETTERS, tmp_path / folder)
    info = tmp_path / "two" / "simil_letters-1.0.dist-info"
    info.rename(info.with_name("other_letters-1.0.dist-info"))
    metadata = info.with_name("other_letters-1.0.dist-info") / "METADATA"
    metadata.write_text(metadata.read_text("utf-8").replace("simil-letters", "other-letters"), "utf-8")
    both = Path(f"{tmp_path / 'one'}:{tmp_path / 'two'}")

    said = _one_line(simil(both, "embed", "-m", "plugin:letters", "-t", "a"), 4)
    assert "several packages provide a plug-in 'letters'" in said

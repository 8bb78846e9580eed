"""Embedders of other packages, installed and used from the command line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from support import command
from support.command import Result

from plugins.conftest import BROKEN, LETTERS, Ran, Simil, declare, install
from simil.tasks.doctor import _context, model_checks
from simil.tasks.doctor.findings import Status


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
        (f"{_CLASS}return None", "plugin:odd returned object, not an array of numbers"),
        (f"{_CLASS}return np.zeros((len(texts), 4))", "declares 3 dimensions but returned 4"),
        (f"{_CLASS}return np.full((len(texts), 3), np.nan)", "a value that is not finite; "),
        (f"{_CLASS}return np.full((len(texts), 3), np.inf)", "a value that is not finite; "),
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


def _quick(folder: Path, *arguments: str) -> Result:
    """Run the command with the packages in `folder`, in a fork."""
    return command.simil(*arguments, cwd=folder, env={"PYTHONPATH": str(folder / "packages")})


@pytest.mark.parametrize(
    "harm",
    [
        "raise SystemExit(0)",
        "raise KeyboardInterrupt",
        "raise type('PanicException', (BaseException,), {})('it panicked')",
        "raise type('Fine', (SimilError,), {'exit_code': 0})('all is well')",
    ],
)
@pytest.mark.parametrize("moment", ["when it is imported", "when it embeds"])
def test_no_plugin_decides_how_a_run_ends(harm: str, moment: str, tmp_path: Path) -> None:
    head = f"from simil.errors import SimilError\n{_CLASS}"
    code = f"{head}{harm}" if moment == "when it embeds" else f"from simil.errors import SimilError\n{harm}"
    declare("odd", code, tmp_path / "packages")
    old = tmp_path / "old.csv"
    old.write_text("old", "utf-8")

    arguments = ("compare", "-m", "plugin:odd", "a", "b", "--threshold", "0.1")
    ran = _quick(tmp_path, *arguments, "-o", "old.csv")
    assert (ran.code, ran.out) == (4, "")
    said = ran.error_line
    assert said.startswith(
        "plugin:odd failed: " if moment == "when it embeds" else "the plug-in odd (simil_odd:"
    )
    assert old.read_text("utf-8") == "old"
    assert {path.name for path in tmp_path.iterdir()} == {"packages", "old.csv"}


_NOISE = """\
import ctypes, os, subprocess, sys, threading
def noise():
    print("NOISE")
    sys.stdout.buffer.write(b"NOISE\\n")
    os.write(1, b"NOISE\\n")
    sys.__stdout__.write("NOISE\\n")
    subprocess.run(["echo", "NOISE"])
    ctypes.CDLL(None).puts(b"NOISE")
    ctypes.CDLL(None).fflush(None)
    threading.Thread(target=print, args=["NOISE"]).start()
noise()
"""


def test_what_a_plugin_prints_is_no_data(tmp_path: Path) -> None:
    declare("odd", f"{_NOISE}{_CLASS}noise(); return np.ones((len(texts), 3))", tmp_path / "packages")
    arguments = ("embed", "-m", "plugin:odd", "-t", "a", "--no-normalize", "-f", "csv")

    right = "id,text,model,d0,d1,d2\n1,a,plugin:odd,1.0,1.0,1.0\n"
    for more in ([], ["-o", "/dev/stdout"]):
        ran = _quick(tmp_path, *arguments, *more)
        assert (ran.code, ran.out) == (0, right)
        assert ran.err.count("NOISE\n") >= 12


def test_what_a_plugin_changes_in_the_process_is_put_back(tmp_path: Path) -> None:
    changes = (
        "import os, signal, sys, warnings; os.chdir('/'); os.umask(0o777); sys.stdout.close(); "
        "signal.signal(signal.SIGINT, signal.SIG_IGN); np.seterr(all='raise'); os.environ.clear()"
    )
    declare("odd", f"{_CLASS}{changes}; return np.ones((len(texts), 3))", tmp_path / "packages")

    ran = _quick(tmp_path, "embed", "-m", "plugin:odd", "-t", "a", "-o", "v.csv")
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    assert (tmp_path / "v.csv").stat().st_mode & 0o700 == 0o600


_STARTS = (
    "from simil.embedders.base import Piece, TextRejected\n"
    f"{_CLASS}pass\n    def start_batch(self, kind, texts):\n"
    "        rows = np.arange(len(texts)); vectors = np.ones((len(texts), 3)); marks = rows * 0\n        "
)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (f"{_STARTS}yield Piece(rows, vectors, marks); yield Piece(rows, vectors, marks)", "a vector twice"),
        (f"{_STARTS}yield Piece(rows + 1, vectors, marks)", "for a text that it was not given"),
        (f"{_STARTS}yield Piece(rows[:1], vectors[:1], marks[:1])", "returned 1 vectors for 2 texts"),
        (f"{_STARTS}yield TextRejected(-1, 'no')", "IndexError: it rejected text -1 of 2"),
        (f"{_CLASS}return np.ones((len(texts), 3)).astype(str)", "not an array of numbers"),
        (f"{_CLASS}return np.ones((len(texts), 3)) * 1j", "not an array of numbers"),
        (
            f"{_HEAD}class Letters(Embedder):\n    stamp = 'a\\nb'\n    embed_batch = 1",
            "is not a name: 'a\\nb'",
        ),
        (f"{_HEAD}class Letters(Embedder):\n    dimensions = 2.5\n    embed_batch = 1", "dimensions are 2.5"),
    ],
)
def test_what_a_plugin_gives_is_checked(code: str, said: str, tmp_path: Path) -> None:
    declare("odd", code, tmp_path / "packages")

    ran = _quick(tmp_path, "embed", "-m", "plugin:odd", "-t", "a", "-t", "b", "-f", "csv")
    assert (ran.code, ran.out) == (4, "")
    assert said in ran.error_line


def test_a_failure_to_close_does_not_spoil_the_answer(tmp_path: Path) -> None:
    code = f"{_CLASS}return np.ones((len(texts), 3))\n    def close(self):\n        raise SystemExit(3)"
    declare("odd", code, tmp_path / "packages")

    ran = _quick(tmp_path, "compare", "-m", "plugin:odd", "a", "b", "--threshold", "0.5")
    assert (ran.code, float(ran.out)) == (0, pytest.approx(1))
    assert ran.err == "simil: plugin:odd failed: SystemExit: 3\n"


def test_arrays_that_a_plugin_uses_again_are_copied(tmp_path: Path) -> None:
    code = (
        f"{_HEAD}class Letters(Embedder):\n    array = np.zeros((1, 2), np.float32)\n"
        "    def start_batch(self, kind, texts):\n"
        "        from simil.embedders.base import Piece\n"
        "        for row, text in enumerate(texts):\n"
        "            self.array[0] = row, 1\n"
        "            yield Piece(np.array([row]), self.array, np.zeros(1))\n"
        "    def embed_batch(self, texts):\n        pass"
    )
    declare("odd", code, tmp_path / "packages")

    arguments = ("embed", "-m", "plugin:odd", "-t", "a", "-t", "b", "--no-normalize", "-f", "csv")
    ran = _quick(tmp_path, *arguments)
    assert ran.out.splitlines()[1:] == ["1,a,plugin:odd,0.0,1.0", "2,b,plugin:odd,1.0,1.0"]


@pytest.mark.parametrize("damage", [b"\xff\xfe", b"[simil.embedders]\nno value\n"])
def test_damaged_metadata_harm_no_other_package(damage: bytes, tmp_path: Path) -> None:
    declare("letters", LETTERS, tmp_path / "packages")
    declare("odd", "", tmp_path / "packages")
    (tmp_path / "packages" / "simil_odd-1.0.dist-info" / "entry_points.txt").write_bytes(damage)

    ran = _quick(tmp_path, "compare", "-m", "plugin:letters", "listen", "silent")
    assert (ran.code, ran.err) == (0, "")


def test_the_doctor_goes_on_after_one_that_would_end_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare("odd", "raise SystemExit(0)", tmp_path / "packages")
    monkeypatch.syspath_prepend(tmp_path / "packages")
    context = replace(_context(None, None, offline=True, deep=False, env_file=None), deep=True)

    (found,) = model_checks.plugins(context)
    assert (found.status, found.detail) == (
        Status.WARN,
        "the plug-in odd (simil_odd:Letters) is broken: SystemExit: 0",
    )

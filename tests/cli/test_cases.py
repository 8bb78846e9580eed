"""Golden cases: each folder under `cases` holds a command, its input files and what it must print.

`cmd` is a line of shell. `stdout` and `stderr` are what it prints, nothing where the file is missing, and
`code` how it exits, 0 where it is missing. With a file `columns` it runs on a terminal of that width, and
`stdout` is all that the terminal shows. Every other file is input.

`UPDATE_CASES=1 pytest tests/cli/test_cases.py` writes what is printed now into the folders; read the
difference before it is kept.
"""

from __future__ import annotations

import os
import re
import shutil
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from support.command import Result, on_terminal, shell

CASES = Path(__file__).with_name("cases")
NAMES = sorted(folder.name for folder in CASES.iterdir())
_OURS = ("cmd", "stdout", "stderr", "code", "columns")
# A progress bar that a slow run showed, and took away again.
_BAR = re.compile(r"\x1b\[\?25l.*?\x1b\[\?25h(\r\x1b\[1A\x1b\[2K)?", re.DOTALL)
_DECIMAL = re.compile(r"(-?\d+(?:\.\d+(?:[eE][-+]?\d+)?|[eE][-+]?\d+))")


def test_there_are_cases() -> None:
    assert len(NAMES) > 50


@pytest.mark.parametrize("name", NAMES)
def test_case(name: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> None:
    if not _running:
        _start_all(request.session.items, tmp_path_factory)
    case = CASES / name
    columns = case / "columns"
    if columns.exists():
        folder = _copied(case, tmp_path_factory)
        result = on_terminal(_text(case / "cmd"), int(_text(columns)), cwd=folder)
    else:
        result = _running[name].result()
    if os.environ.get("UPDATE_CASES"):
        _update(case, result)
    assert_alike(result.err, _text(case / "stderr"))
    assert_alike(_BAR.sub("", result.out), _text(case / "stdout"))
    assert result.code == int(_text(case / "code") or 0)


_running: dict[str, Future[Result]] = {}


def _start_all(items: list[pytest.Item], folders: pytest.TempPathFactory) -> None:
    """Start the cases that were selected, as many at a time as there are processors.

    Those on a terminal are run one by one: a process with threads should not fork.
    """
    pool = ThreadPoolExecutor(os.cpu_count())
    environ = dict(os.environ)
    wanted = {
        item.callspec.params.get("name")
        for item in items
        if isinstance(item, pytest.Function) and hasattr(item, "callspec")
    }
    for case in sorted(CASES.iterdir()):
        if case.name in wanted and not case.joinpath("columns").exists():
            script, folder = _text(case / "cmd"), _copied(case, folders)
            _running[case.name] = pool.submit(shell, script, cwd=folder, environ=environ)
    pool.shutdown(wait=False)


def _copied(case: Path, folders: pytest.TempPathFactory) -> Path:
    folder = folders.mktemp(case.name)
    shutil.copytree(case, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(*_OURS))
    return folder


def assert_alike(found: str, expected: str) -> None:
    """Compare numbers that have a fraction within the rounding of processors, all else exactly."""
    found_parts, expected_parts = _DECIMAL.split(found), _DECIMAL.split(expected)
    assert found_parts[::2] == expected_parts[::2]
    for one, other in zip(found_parts[1::2], expected_parts[1::2], strict=True):
        assert float(one) == pytest.approx(float(other), rel=0, abs=_tolerance(other)), found


def _tolerance(number: str) -> float:
    """What the last of few digits stands for, else 0.0002."""
    digits = len(re.split("[eE]", number)[0].partition(".")[2])
    return 2e-4 if digits > 3 or "e" in number.lower() else 1.01 * 10**-digits


def _text(path: Path) -> str:
    return path.read_text("utf-8") if path.exists() else ""


def _update(case: Path, result: Result) -> None:
    code = f"{result.code}\n" if result.code else ""
    for name, text in (("stdout", result.out), ("stderr", result.err), ("code", code)):
        if text:
            case.joinpath(name).write_text(text, "utf-8")
        else:
            case.joinpath(name).unlink(missing_ok=True)

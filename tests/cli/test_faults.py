"""What nobody expected: one line that says what, where, and where to report it; exit code 70."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from support.command import Result, run

from simil.cli.commands import compare

_KEY = "sk-planted-0123456789"
# There is no fault to call up: one is put into a module that the command imports.
_PROGRAM = """
import sys
from simil.tasks import {module}
def fault(*arguments, **named):
    {fault}
{module}.{function} = fault
sys.argv[0] = "simil"
from simil.__main__ import main
main()
"""
_RAISES = f"raise TypeError('not\\n{_KEY}')"
_SAID = (
    "simil: a fault of simil itself: TypeError: not *** ({}); please report it with what -v adds and with "
    "the output of simil doctor (see CONTRIBUTING.md)\n"
)


def _place() -> str:
    """Where the command calls what has the fault."""
    lines = Path(compare.__file__).read_text("utf-8").splitlines()
    return f"compare.py:{next(number for number, line in enumerate(lines, 1) if 'compare_items(' in line)}"


def _run(fault: str, *arguments: str, module: str = "comparison", function: str = "compare") -> Result:
    program = _PROGRAM.format(module=module, function=function, fault=fault)
    return run([sys.executable, "-c", program, *arguments], env={"OPENAI_API_KEY": _KEY})


def test_a_fault_of_ours_is_one_line_and_the_old_output_stays(tmp_path: Path) -> None:
    old = tmp_path / "out.csv"
    old.write_text("old")
    result = _run(_RAISES, "compare", "-m", "minilm", "tea", "rat", "-o", str(old))

    assert result == Result(70, "", _SAID.format(_place()))
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("out.csv", "old")]


def test_with_v_the_traceback_comes_before_it() -> None:
    result = _run(_RAISES, "compare", "-m", "minilm", "tea", "rat", "-v")

    assert (result.code, result.out) == (70, "")
    assert "Traceback (most recent call last):\n" in result.err
    assert "TypeError: not\n***\nsimil: a fault" in result.err
    assert result.err.endswith(_SAID.format(_place()))
    assert _KEY not in result.err


@pytest.mark.parametrize(
    "fault",
    [
        "raise SystemExit(0)",
        "raise GeneratorExit",
        "fault()",
        "raise BaseException",
    ],
)
def test_no_fault_ends_well(fault: str) -> None:
    result = _run(fault, "compare", "-q", "-m", "minilm", "tea", "rat", "--threshold", "0.01")

    assert (result.code, result.out) == (70, "")
    assert result.error_line.startswith("a fault of simil itself: ")

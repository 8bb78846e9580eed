"""The bar: on a terminal, for work over a second, with speed and time left; nothing on a pipe."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pexpect
import pytest
from support.command import SIMIL, simil
from support.emulated_terminal import EmulatedTerminal

pytestmark = pytest.mark.usefixtures("plugins")


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    """Texts that take the plug-in "slow" two seconds."""
    path = tmp_path / "lines.txt"
    path.write_text("".join(f"line {number}\n" for number in range(100)))
    return path


def _shown(arguments: list[str], columns: int) -> str:
    child = pexpect.spawn(
        SIMIL[0],
        [*SIMIL[1:], *arguments],
        dimensions=(24, columns),
        env={**os.environ, "TERM": "xterm"},
        encoding="utf-8",
        timeout=120,
    )
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0, child.before
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", child.before)


@pytest.mark.parametrize("columns", [40, 80])
def test_speed_and_time_left_of_a_file(columns: int, lines: Path, tmp_path: Path) -> None:
    # There are two batches in which the speed is known; a text that comes again takes no time.
    lines.write_text(lines.read_text() + lines.read_text().replace("line", "row"))
    shown = _shown(["embed", "-m", "plugin:slow", str(lines), "-o", str(tmp_path / "v.npy")], columns)

    assert re.search(r"\d+/200 texts, \d+/s \d+:\d\d left", shown), shown
    assert max(len(line) for line in re.split("[\r\n]+", shown)) <= columns


def test_a_narrower_window_leaves_no_half_line(lines: Path, tmp_path: Path) -> None:
    lines.write_text("".join(f"line {number}\n" for number in range(300)))
    child = pexpect.spawn(
        SIMIL[0],
        [*SIMIL[1:], "embed", "-m", "plugin:slow", str(lines), "-o", str(tmp_path / "v.npy")],
        dimensions=(24, 100),
        env={**os.environ, "TERM": "xterm"},
        encoding="utf-8",
        timeout=120,
    )
    child.expect_exact("left")
    child.setwinsize(24, 50)
    # The terminal has wrapped the line: its second row goes, and the first.
    child.expect_exact("\x1b[2K\x1b[1A\r\x1b[2K")
    child.expect(pexpect.EOF)
    child.close()
    rows = re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", child.before))
    assert child.exitstatus == 0
    assert max(map(len, rows)) <= 50


def test_of_a_pipe_nobody_knows_the_end(lines: Path, tmp_path: Path) -> None:
    command = f"cat {lines} | {' '.join(SIMIL)} embed -m plugin:slow -o {tmp_path / 'v.npy'}"
    child = pexpect.spawn("/bin/sh", ["-c", command], env={**os.environ, "TERM": "xterm"}, encoding="utf-8")
    child.expect(pexpect.EOF, timeout=120)
    child.close()

    assert re.search(r"\d+ texts, \d+/s", child.before), child.before
    assert "left" not in child.before


@pytest.mark.parametrize("option", ["-q", "-f"])
def test_none_where_it_is_not_wanted(option: str, lines: Path, tmp_path: Path) -> None:
    """Quiet, or beside the output that the same terminal shows."""
    rest = ["-o", str(tmp_path / "v.npy")] if option == "-q" else ["jsonl"]
    shown = _shown(["embed", "-m", "plugin:slow", str(lines), option, *rest], 80)

    assert "texts," not in shown


def test_none_on_a_pipe(lines: Path) -> None:
    result = simil("embed", "-m", "plugin:slow", str(lines), "-f", "jsonl")

    assert result.code == 0
    assert result.err == ""


def test_work_within_other_work_has_the_line_for_itself() -> None:
    """Two bars at once would write into each other's lines; the program waits for Enter in between."""
    program = """
from simil.cli.output.progress_bar import terminal_progress
show = terminal_progress(quiet=False)
with show("outer", total=9, unit="texts"):
    input()
    with show("inner", total=9, unit="B"):
        input()
    input()
"""
    with EmulatedTerminal([sys.executable, "-c", program], columns=80, env=os.environ) as terminal:
        terminal.child.setecho(False)
        for bar in ("outer", "inner", "outer"):
            terminal.wait_for(lambda lines, bar=bar: [line.split()[0] for line in lines] == [bar])
            terminal.type("\n")
        assert terminal.wait_for_end() == 0
        assert (terminal.lines, terminal.screen.cursor.hidden) == ([], False)

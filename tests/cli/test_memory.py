"""Memory stays bounded however long the input is."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from support.command import SIMIL

pytestmark = pytest.mark.usefixtures("plugins")


def peak(arguments: list[str], lines: int, folder: Path) -> int:
    """Return the largest resident size, as the system counts it, of a run over so many texts."""
    texts = folder / f"{lines}.tsv"
    with texts.open("w", encoding="ascii") as file:
        file.write("text\tother\n")
        file.writelines(f"this is the text of line {number}\tanother {number}\n" for number in range(lines))
    with (folder / "out").open("wb") as out:
        process = subprocess.Popen([*SIMIL, *arguments, str(texts)], stdout=out)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    assert (folder / "out").read_bytes().count(b"\n") >= lines
    return usage.ru_maxrss


@pytest.mark.parametrize(
    "arguments",
    [
        ["embed", "-f", "jsonl"],
        ["compare", "--field", "text", "--field", "other", "--pairs"],
    ],
)
def test_ten_times_the_lines_need_no_more_memory(arguments: list[str], tmp_path: Path) -> None:
    few, many = peak(arguments, 20_000, tmp_path), peak(arguments, 200_000, tmp_path)
    assert many < 1.15 * few

"""Memory stays bounded however long the input is."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.command import SIMIL

pytestmark = pytest.mark.usefixtures("plugins")


def peak_of_lines(arguments: list[str], lines: int, folder: Path) -> int:
    """Return the largest resident size of a run over so many lines of text."""
    texts = folder / f"{lines}.tsv"
    with texts.open("w", encoding="ascii") as file:
        file.write("text\tother\n")
        file.writelines(f"this is the text of line {number}\tanother {number}\n" for number in range(lines))
    with (folder / "out").open("wb") as out:
        used = peak([*arguments, str(texts)], out)
    assert (folder / "out").read_bytes().count(b"\n") >= lines
    return used


def peak_of_table(rows: int, folder: Path) -> int:
    """Return the largest resident size of a run that embeds a table of so many texts."""
    texts, output = folder / f"{rows}.parquet", folder / "out.parquet"
    # A child counts as much as the process that starts it, at least: this one must stay small.
    with pq.ParquetWriter(texts, pa.schema([("text", pa.string()), ("n", pa.int64())])) as writer:
        for start in range(0, rows, 20_000):
            numbers = range(start, start + 20_000)
            writer.write(
                pa.table({"text": [f"this is the text of row {number}" for number in numbers], "n": numbers})
            )
    used = peak(["embed", "--no-cache", str(texts), "-o", str(output)])
    assert pq.read_metadata(output).num_rows == rows
    return used


def peak(arguments: list[str], out: BinaryIO | None = None) -> int:
    """Return the largest resident size, as the system counts it, of a run with these arguments."""
    process = subprocess.Popen([*SIMIL, *arguments], stdout=out)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_maxrss


@pytest.mark.parametrize(
    "arguments",
    [
        ["embed", "-f", "jsonl"],
        ["compare", "--field", "text", "--field", "other", "--pairs"],
    ],
)
def test_ten_times_the_lines_need_no_more_memory(arguments: list[str], tmp_path: Path) -> None:
    few, many = (peak_of_lines(arguments, lines, tmp_path) for lines in (20_000, 200_000))
    assert many < 1.15 * few


def test_ten_times_the_rows_of_a_table_need_no_more_memory(tmp_path: Path) -> None:
    few, many = (peak_of_table(rows, tmp_path) for rows in (40_000, 400_000))
    assert many < 1.15 * few

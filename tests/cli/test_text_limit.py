"""`--max-text-bytes`: a text, a row or a document without an end does not take all memory."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.command import shell, simil

pytestmark = pytest.mark.usefixtures("plugins")

LONG = "x" * 1001
# Each has a text of 1,001 bytes in its third row or line.
FILES = {
    "a.txt": f"a\nb\n{LONG}\nc\n",
    "a.csv": f'text\na\n"{LONG[:600]}\n{LONG[600:]}"\n',
    "a.tsv": f"text\na\n{LONG}\n",
    "a.jsonl": f'{{"text":"a"}}\n{{"text":"b"}}\n{{"text":"{LONG}"}}\n',
    "a.json": json.dumps([{"text": "a"}, {"text": "b"}, {"text": LONG}]),
}


@pytest.mark.parametrize("name", [*FILES, "a.parquet"])
def test_longer_text_is_refused_where_it_is(name: str, tmp_path: Path) -> None:
    file = tmp_path / name
    if name == "a.parquet":
        pq.write_table(pa.table({"text": ["a", "b", LONG]}), file)
    else:
        file.write_text(FILES[name], "ascii")
    result = simil("embed", "--max-text-bytes", "1000", "-f", "jsonl", str(file))
    assert result.code == 3
    assert result.error_line.startswith(f"{file}:3: a text is longer than 1,000 bytes")
    assert "--max-text-bytes" in result.error_line
    for more in ("1020", "0"):
        done = simil("embed", "--max-text-bytes", more, "-f", "jsonl", str(file))
        assert (done.code, done.err) == (0, "")
        assert LONG[:600] in done.out


@pytest.mark.parametrize("arguments", [["--whole"], ["-0"]])
def test_other_texts_are_limited_too(arguments: list[str], tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a\0" + LONG, "ascii")
    result = simil("embed", "--max-text-bytes", "1000", *arguments, str(tmp_path / "a.txt"))
    assert result.code == 3
    assert "a text is longer than 1,000 bytes" in result.error_line


def test_pairs_and_joined_tables_are_limited_too(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f"a,b\nx,{LONG}\n", "ascii")
    for arguments in (["compare", "--pairs"], ["match", "--field", "a", str(tmp_path / "a.csv")]):
        result = simil(*arguments, str(tmp_path / "a.csv"), "--max-text-bytes", "1000")
        assert result.code == 3
        assert "a.csv:2: a text is longer" in result.error_line


@pytest.mark.parametrize(
    ("endless", "form"),
    [
        ("cat /dev/zero", "text"),
        ("yes x | tr '\\n' '\\r'", "text"),
        ("echo text; echo '\"a'; yes a,b", "csv"),
        ("echo '[\"'; yes | tr -d '\\n'", "json"),
        ("yes '['", "json"),
        ("printf '{\"data\":['; yes '[1],' | tr -d '\\n'", ""),
        ("cat /dev/zero | tr '\\0' ' '", ""),
    ],
)
def test_pipe_without_end_is_refused_soon(endless: str, form: str) -> None:
    named = f"--input-format {form}" if form else ""
    result = shell(f"{{ {endless}; }} | simil embed --max-text-bytes 100000 {named}")
    assert result.code == 3
    assert "a text is longer than 100,000 bytes" in result.error_line


@pytest.mark.parametrize("form", ["parquet", "arrow", "xlsx"])
def test_device_is_no_file(form: str) -> None:
    result = simil("embed", "--input-format", form, "/dev/zero")
    assert (result.code, result.error_line) == (3, "/dev/zero: is a device, not a file; name a file")

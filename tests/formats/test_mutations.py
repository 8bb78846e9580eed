"""A reader gives what a damaged file holds, or refuses it: no library's exception gets through."""

from __future__ import annotations

import zipfile
from contextlib import suppress
from pathlib import Path
from random import Random

import numpy as np
import pytest
from support.command import simil
from support.mutations import mutated, sound_files

from simil.errors import InputError
from simil.session.inputs import InputOpener
from simil.texts import ReadOptions

_TIMES = 40
_DIGITS = "9" * 4301


def _count(path: Path) -> int:
    opened = InputOpener().open([str(path)], ReadOptions())
    if opened.holds_vectors:
        return len(opened.vector_files()[0])
    return len([*opened.texts(on_error=lambda error: None)])


def test_a_damaged_file_is_read_or_refused(tmp_path: Path) -> None:
    (tmp_path / "sound").mkdir()
    chance = Random(1)
    for path in sound_files(tmp_path / "sound"):
        assert _count(path) == 5
        for _ in range(_TIMES):
            damaged = tmp_path / path.name
            damaged.write_bytes(mutated(path.read_bytes(), chance)[1])
            with suppress(InputError):
                assert _count(damaged) >= 0


@pytest.mark.parametrize("header", ["(" * 200, "{'descr': " + "-" * 5000, "[" * 9000, f"({_DIGITS})"])
def test_an_npy_header_that_breaks_the_parser(header: str, tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode())

    with pytest.raises(InputError, match=r"is not a sound \.npy file"):
        _count(path)


def test_an_archive_that_expands_to_too_much(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez_compressed(path, embeddings=np.ones((1, 2), np.float32))
    with zipfile.ZipFile(path, "a") as archive:
        archive.getinfo("embeddings.npy").file_size = 1_200_000_000
        archive.comment = b"so that what is said of it is written anew"

    with pytest.raises(InputError, match=r"expands to over 1\.2 GB, over 200 times its size"):
        _count(path)


def test_a_workbook_with_a_cell_in_its_last_corner(tmp_path: Path) -> None:
    sound_files(tmp_path)
    far = b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>'
    path = tmp_path / "far.xlsx"
    with zipfile.ZipFile(tmp_path / "texts.xlsx") as sound, zipfile.ZipFile(path, "w") as changed:
        for name in sound.namelist():
            changed.writestr(name, sound.read(name).replace(b"</sheetData>", far))

    with pytest.raises(InputError, match="as far apart as 1,048,576 rows and 16,384 columns"):
        _count(path)


@pytest.mark.parametrize(
    ("arguments", "stdin", "code"),
    [
        (["embed", "-m", "minilm"], f"[{_DIGITS}]", 3),
        (["embed", "-m", "minilm"], f"[ [{_DIGITS}", 3),
        (["embed", "-m", "minilm", "--input-format", "csv", "--field", _DIGITS], "a,b\n1,2\n", 3),
        (["embed", "-m", "minilm", "--input-format", "jsonl"], f'{{"id":{_DIGITS},"text":"a"}}\n', 3),
        (["embed", "~nouser/x"], "", 3),
        (["embed", "-m", "~nouser/x"], "a\n", 4),
        (["embed", "-m", "minilm", "-o", "~nouser/x.csv"], "a\n", 2),
    ],
)
def test_what_libraries_of_python_refuse(arguments: list[str], stdin: str, code: int, tmp_path: Path) -> None:
    result = simil(*arguments, stdin=stdin.encode(), cwd=tmp_path)

    assert result.code == code
    assert result.error_line

"""`--safe-csv`: no cell of a table is taken for a formula by a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import pytest
from support.command import simil

pytestmark = pytest.mark.usefixtures("plugins")

FORMULAS = ["=1+1", "+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "-", "-1e5x"]  # noqa: RUF001
OTHERS = ["a=1", "-1.5", "-2e-07", "", "'=1", "1-1", "ü"]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    file = tmp_path / "a.csv"
    with file.open("w", newline="") as stream:
        csv.writer(stream).writerows([["text", "=name"], *([f"t{cell}", cell] for cell in FORMULAS + OTHERS)])
    return file


def passed_through(arguments: Sequence[str], table: Path) -> dict[str, str]:
    done = simil(*arguments, str(table), "-f", "csv")
    assert done.code == 0, done.err
    header, *rows = csv.reader(io.StringIO(done.out, newline=""))
    text, other = header.index("text"), next(at for at, name in enumerate(header) if "=name" in name)
    return {"": header[other], **{row[text]: row[other] for row in rows}}


@pytest.mark.parametrize(
    "arguments",
    [
        ["search", "x", "-k", "99"],
        ["embed"],
        ["cluster", "--clusters", "2"],
        ["dedupe", "--show", "kept", "--exact"],
        ["classify", "--label", "a", "--label", "b"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_no_cell_begins_a_formula(arguments: list[str], table: Path) -> None:
    plain = passed_through(arguments, table)
    safe = passed_through([*arguments, "--safe-csv"], table)
    assert plain == {"": "=name", **{f"t{cell}": cell for cell in FORMULAS + OTHERS}}
    assert safe == {
        "": "'=name",
        **{f"t{cell}": f"'{cell}" for cell in FORMULAS},
        **{f"t{cell}": cell for cell in OTHERS},
    }


def test_tsv_is_safe_and_json_is_as_it_is() -> None:
    done = simil("compare", "=1", "@x", "-f", "tsv", "--safe-csv")
    assert done.out.splitlines()[1].split("\t")[1:] == ["'=1", "'@x"]
    assert '"=1"' in simil("compare", "=1", "@x", "-f", "json", "--safe-csv").out

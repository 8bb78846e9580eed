"""Workbooks: the rows of a sheet are those of a table in csv, with the numbers that the sheet has."""

from __future__ import annotations

import datetime as dt
import io
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.reading import opened

from simil.cli.app import run
from simil.errors import InputError, UsageError
from simil.texts import ReadOptions, Text, read_texts


def write(
    path: Path, *sheets: Sequence[Sequence[object]], names: Sequence[str] = ("First", "Second")
) -> Path:
    """Write a workbook with these rows in each sheet."""
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for name, rows in zip(names, sheets, strict=False):
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append([*row])
    book.save(path)
    return path


def read(path: object, stdin: Any = None, **options: Any) -> list[Text]:
    reading = ReadOptions(**options)
    sources = opened([path], reading, stdin)
    return [*read_texts(sources, reading, on_blank=lambda place: None)]


def test_rows_are_texts_with_the_numbers_of_the_sheet(tmp_path: Path) -> None:
    rows = [["note", "text"], ["x", "apple"], [], ["y", "two\nlines"], [None, "orange"]]
    path = write(tmp_path / "x.xlsx", rows)
    assert [(one.id, one.text, one.fields, one.origin.line) for one in read(path)] == [
        ("2", "apple", {"note": "x"}, 2),
        ("4", "two\nlines", {"note": "y"}, 4),
        ("5", "orange", {"note": ""}, 5),
    ]


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (3, "3"),
        (3.0, "3"),
        (-2.5, "-2.5"),
        (0.1, "0.1"),
        (2**53 - 1, "9007199254740991"),
        (1e300, "1e+300"),
        (True, "TRUE"),
        (False, "FALSE"),
        (dt.date(2024, 2, 29), "2024-02-29"),
        (dt.datetime(2024, 2, 29, 12, 30), "2024-02-29T12:30:00"),
        (dt.time(1, 2, 3), "01:02:03"),
        (dt.timedelta(hours=30), "1 day, 6:00:00"),
        ("  spaces ", "  spaces "),
        ("007", "007"),
        ("é 🍎\u2028", "é 🍎\u2028"),
        (None, ""),
    ],
)
def test_cells_are_strings(value: object, cell: str, tmp_path: Path) -> None:
    (found,) = read(write(tmp_path / "x.xlsx", [["text", "x"], ["a", value]]))
    assert found.fields == {"x": cell}


# What XML can hold, and neither a formula nor what openpyxl escapes.
plain = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn"]), max_size=20).filter(
    lambda cell: not cell.startswith("=") and not cell.startswith("#") and "_x" not in cell
)


@given(texts=st.lists(plain, min_size=1, max_size=6))
def test_any_texts_are_read(texts: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        rows = [["id", "text"], *([f"r{row}", one] for row, one in enumerate(texts))]
        found = read(write(Path(folder, "x.xlsx"), rows))
    kept = [(f"r{row}", one) for row, one in enumerate(texts) if one and not one.isspace()]
    assert [(one.id, one.text) for one in found] == kept


def test_a_sheet_is_named_or_numbered(tmp_path: Path) -> None:
    sheets = ([["text"], ["one"]], [["text"], ["two"]], [["text"], ["three"]])
    path = write(tmp_path / "x.xlsx", *sheets, names=("A", "B", "2"))
    for sheet, expected in (
        (None, "one"),
        ("A", "one"),
        ("B", "two"),
        ("1", "one"),
        ("2", "three"),
        ("3", "three"),
    ):
        assert [one.text for one in read(path, sheet=sheet)] == [expected]
    for sheet in ("C", "0", "4", ""):
        with pytest.raises(InputError, match=f"no sheet '{sheet}'; there are: 'A', 'B', '2'") as caught:
            read(path, sheet=sheet)
        assert caught.value.hint == "name one with --sheet"


def test_a_table_without_a_header(tmp_path: Path) -> None:
    path = write(tmp_path / "x.xlsx", [["a", 1], ["b", 2]])
    found = read(path, header=False, fields=("1",))
    assert [(one.text, one.fields) for one in found] == [("a", {"2": "1"}), ("b", {"2": "2"})]


def test_sheets_that_are_not_read_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write(tmp_path / "x.xlsx", [["text"], ["one"]], [["text"], ["two"]])
    assert [one.text for one in read(path, sheet="First")] == ["one"]
    assert caplog.messages == []
    assert [one.text for one in read(path)] == ["one"]
    assert caplog.messages == [f"{path}: only sheet 'First' is read; --sheet names another: 'Second'"]


def test_a_table_that_begins_somewhere_in_its_sheet(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet["B3"], sheet["C3"], sheet["B4"], sheet["C4"] = "text", "n", "apple", 1
    sheet["B9"].font = openpyxl.styles.Font(bold=True)
    sheet.merge_cells("B5:C6")
    sheet["B5"] = "merged"
    book.save(tmp_path / "x.xlsx")
    found = read(tmp_path / "x.xlsx")
    assert [(one.id, one.text, one.fields) for one in found] == [
        ("4", "apple", {"n": "1"}),
        ("5", "merged", {"n": ""}),
    ]


def test_an_empty_sheet_has_no_texts(tmp_path: Path) -> None:
    assert read(write(tmp_path / "x.xlsx", [])) == []
    assert read(write(tmp_path / "y.xlsx", [["text"]])) == []


def test_a_missing_column_is_told_with_its_row(tmp_path: Path) -> None:
    path = write(tmp_path / "x.xlsx", [[], ["a", "b"], ["x", "y"]])
    with pytest.raises(InputError, match="no field 'text'; there are: 'a', 'b'") as caught:
        read(path)
    assert str(caught.value.place) == f"{path}:2"


@pytest.mark.parametrize("suffix", [".xlsx", ".ods", ".xlsm", ".xls", ".xlsb"])
def test_what_is_no_workbook(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"x{suffix}"
    for data in (b"", b"a,b\n", b"PK\x03\x04" + bytes(100)):
        path.write_bytes(data)
        with pytest.raises(InputError, match="is not a sound workbook"):
            read(path)


def test_a_workbook_of_another_name_says_how_to_read_it(tmp_path: Path) -> None:
    data = write(tmp_path / "x.xlsx", [["text"], ["a"]]).read_bytes()
    for name in ("x.csv", "x"):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(InputError, match="is a ZIP archive, not text") as caught:
            read(tmp_path / name)
        assert caught.value.hint == "unpack it; --input-format xlsx reads a workbook"
    assert [one.text for one in read("-", io.BytesIO(data), format="xlsx")] == ["a"]


def test_options_of_workbooks_need_one(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("text\na\n", "utf-8")
    with pytest.raises(UsageError, match="--sheet is for xlsx, and no source is one"):
        read(tmp_path / "x.csv", sheet="1")
    with pytest.raises(UsageError, match="--sheet is for xlsx, not for csv"):
        ReadOptions(format="csv", sheet="1")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="--sheet is for xlsx, not for text"):
        ReadOptions(whole=True, sheet="1")


def test_a_workbook_of_pandas(tmp_path: Path) -> None:
    frame = pd.DataFrame({"text": ["apple", None], "n": [1, 2], "f": [1.5, None]})
    frame.to_excel(tmp_path / "x.xlsx", index=False, sheet_name="Data")
    assert [(one.id, one.fields) for one in read(tmp_path / "x.xlsx")] == [("2", {"n": "1", "f": "1.5"})]


def test_a_workbook_goes_through_commands(tmp_path: Path, capfd: Any) -> None:
    path = write(tmp_path / "x.xlsx", [["id", "text"], [1, "a"], [2, "a"], [3, "b"]])
    assert run(["dedupe", "--exact", "-q", str(path)]) == 0
    assert capfd.readouterr().out == "id,text\n1,a\n3,b\n"
    other = tmp_path / "y.csv"
    other.write_text("text\nb\n", "utf-8")
    assert run(["dedupe", "--exact", "-q", str(path), "--against", str(other), "--sheet", "First"]) == 0
    assert capfd.readouterr().out == "id,text\n1,a\n"


def test_a_workbook_of_libreoffice(tmp_path: Path) -> None:
    names = " ".join(
        f'xmlns:{short}="urn:oasis:names:tc:opendocument:xmlns:{long}:1.0"'
        for short, long in (("office", "office"), ("table", "table"), ("text", "text"))
    )
    rows = "".join(
        f"<table:table-row>{''.join(row)}</table:table-row>"
        for row in (
            [_ods_string("text"), _ods_string("n")],
            [_ods_string("apple"), '<table:table-cell office:value-type="float" office:value="3"/>'],
        )
    )
    content = (
        f'<office:document-content {names} office:version="1.3"><office:body><office:spreadsheet>'
        f'<table:table table:name="A">{rows}</table:table>'
        "</office:spreadsheet></office:body></office:document-content>"
    )
    path = tmp_path / "x.ods"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("content.xml", content)
        archive.writestr(
            "META-INF/manifest.xml",
            '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>',
        )
    assert [(one.text, one.fields) for one in read(path)] == [("apple", {"n": "3"})]


def _ods_string(text: str) -> str:
    return f'<table:table-cell office:value-type="string"><text:p>{text}</text:p></table:table-cell>'

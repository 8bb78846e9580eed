"""The registry, and what is written in a format read back from it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simil.cli.app import run
from simil.errors import InputError
from simil.formats.delimited import CSV, delimited_lines
from simil.formats.record_stream import FormatOptions
from simil.formats.registry import FORMATS, Format, format_named, sniffed, suffix_format
from simil.formats.sources import Source
from simil.texts import InputFormat
from simil.vectors import VectorFormat

ROWS = [form for form in FORMATS if form.write]
TSV = format_named("tsv")

# What line ends, quotes, escapes and byte order marks are made of, and any other character.
nasty = st.sampled_from(
    ["\\", '"', "'", ",", "\t", "\n", "\r", "\r\n", " ", "\\t", "\\n", "\x85", "\u2028", "\ufeff"]
)
other = st.characters(exclude_categories=["Cs"])
text = st.lists(nasty | other, max_size=8).map("".join)


def in_tsv(cell: str) -> str:
    """What becomes of a cell in TSV."""
    return cell.replace("\t", r"\t").replace("\n", r"\n").replace("\r", r"\r")


def written(form: Format, rows: Sequence[dict[str, Any]], columns: Sequence[str] = ()) -> bytes:
    assert form.write
    return b"".join(form.write(rows, {}, columns))


def read(form: Format, data: bytes) -> list[Any]:
    assert form.read
    found = []
    for record in form.read(Source("-", io.BytesIO(data)), FormatOptions()).records:
        assert not isinstance(record, InputError), record
        found.append(record.value)
    return found


@st.composite
def tables(draw: st.DrawFn) -> list[dict[str, str]]:
    """Rows of the same columns, whose names stay apart in TSV too."""
    names = draw(st.lists(text, min_size=2, max_size=4, unique_by=in_tsv))
    return draw(st.lists(st.fixed_dictionaries(dict.fromkeys(names, text)), max_size=5))


# --- the registry ---


def test_names_and_suffixes_are_used_once() -> None:
    names = [form.name for form in FORMATS]
    suffixes = [suffix for form in FORMATS for suffix in form.suffixes]

    assert len({*names}) == len(names)
    assert len({*suffixes}) == len(suffixes)
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in suffixes)


def test_every_format_is_one_of_texts_or_of_vectors() -> None:
    assert {form.name for form in FORMATS if form.read} == {*InputFormat}
    only_read = {"npz", "safetensors", "sqlite"}
    assert {form.name for form in FORMATS} == {*InputFormat, *VectorFormat, *only_read} - {"base64"}


@pytest.mark.parametrize("form", FORMATS)
def test_a_suffix_in_any_case_means_its_format(form: Format) -> None:
    for suffix in form.suffixes:
        assert suffix_format(f"a.b{suffix}") is suffix_format(Path(f"A{suffix.upper()}")) is form
        assert suffix_format(suffix.removeprefix(".")) is None


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\x93NUMPY\x01\x00, \t", "npy"),
        (b'\xef\xbb\xbf\n {"a": 1,\t', "json"),
        (b"[1, 2]", "json"),
        (b"a,b\n", "csv"),
        (b'"a,\tb",c\n', "tsv"),
        (b"a\tb\n", "tsv"),
        (b"a\nb,c\td", "text"),
        (b"", "text"),
    ],
)
def test_first_bytes_tell_a_likely_format(head: bytes, name: str) -> None:
    assert sniffed(head) is format_named(name)


# --- written and read ---


@pytest.mark.parametrize("form", ROWS, ids=lambda form: form.name)
@given(rows=tables())
def test_what_is_written_is_read(form: Format, rows: list[dict[str, str]]) -> None:
    expected = rows
    if form is TSV:
        expected = [{in_tsv(name): in_tsv(cell) for name, cell in row.items()} for row in rows]

    assert read(form, written(form, rows)) == expected


@pytest.mark.parametrize("form", ROWS, ids=lambda form: form.name)
@given(rows=tables())
def test_a_second_pass_changes_nothing(form: Format, rows: list[dict[str, str]]) -> None:
    first = written(form, rows)
    for _ in range(2):
        assert written(form, read(form, first)) == first


@given(cells=st.lists(text, min_size=1, max_size=5), name=text)
def test_a_single_column_of_csv(cells: list[str], name: str) -> None:
    rows = [{name: cell} for cell in cells]
    assert read(format_named("csv"), written(format_named("csv"), rows)) == rows


@given(cells=st.lists(text, max_size=5))
def test_a_single_column_of_tsv(cells: list[str]) -> None:
    # An empty line is no row.
    assert read(TSV, written(TSV, [{"a": cell} for cell in cells])) == [
        {"a": in_tsv(cell)} if cell else None for cell in cells
    ]


@given(rows=st.lists(st.lists(text, min_size=2, max_size=2)))
def test_csv_reads_with_the_csv_module(rows: list[list[str]]) -> None:
    data = b"".join(delimited_lines(CSV, [["", "a"], *rows])).decode()
    lines = [line + "\n" for line in data.split("\n")[:-1]]
    assert [*csv.reader(lines, strict=True)] == [["", "a"], *rows]


def test_a_backslash_stays_one_and_a_lone_carriage_return_is_quoted() -> None:
    row = {"a": "C:\\new\\t", "b": "x\ry", "c": " z"}
    assert written(TSV, [row]) == b"a\tb\tc\nC:\\new\\t\tx\\ry\t z\n"
    assert written(format_named("csv"), [row]) == b'a,b,c\nC:\\new\\t,"x\ry", z\n'


@pytest.mark.parametrize("form", [form for form in ROWS if form.table], ids=lambda form: form.name)
def test_a_table_without_rows_has_its_header(form: Format) -> None:
    assert form.table
    assert written(form, [], ["a", "b"]) == f"a{form.table.separator}b\n".encode()


@pytest.mark.parametrize(
    ("cells", "note"),
    [
        (["a", "b\\"], None),
        (["a\tb", "c"], "1 cell held"),
        (["a\r\n\tb", "c\nd"], "2 cells held"),
    ],
)
def test_cells_that_tsv_cannot_hold_are_counted(
    cells: list[str], note: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [{"a": cell} for cell in cells]
    for form in ROWS:
        written(form, rows)
    tail = "tabs or line ends, written as \\t, \\n, \\r; csv and jsonl keep them exactly"
    assert caplog.messages == ([f"{note} {tail}"] if note else [])


# --- through a command ---

TEXTS = [
    *("back\\slash", "\\", "\\t and \\n", "C:\\new\\table\\", "\\\\twice"),
    *(
        'say "hi"',
        '"',
        '""',
        '"open',
        "it's",
        "a, b",
        ",",
        " before",
        "behind ",
        "\ufeffmark",
        "in\ufeffside",
    ),
    *("tab\tin", "\tfirst", "cr\rin", "last\r", "crlf\r\nin", "last\r\n", "lf\nin", "last\n\n"),
    *(
        "\x01\x02\x1b[31m",
        "v\x0bf\x0cs\x1c\x1d\x1e",
        "\x7f",
        "a\x85b",
        "a\u2028b",
        "a\u2029b",
        "é 🍎",
        "#",
        "=1+1",
    ),
]
RECORDS = [{"note": note, "text": text} for note, text in zip(["", *TEXTS[::-1]], TEXTS, strict=False)]


@pytest.mark.parametrize("suffix", ["tsv", "csv", "jsonl", "json"])
def test_texts_pass_through_dedupe_five_times(tmp_path: Path, suffix: str, capfd: Any) -> None:
    file = tmp_path / "0.jsonl"
    file.write_text("".join(json.dumps(record) + "\n" for record in RECORDS), "utf-8")
    contents = []
    for number in range(1, 6):
        output = tmp_path / f"{number}.{suffix}"
        assert run(["dedupe", "--exact", str(file), "-o", str(output)]) == 0
        contents.append(output.read_bytes())
        file = output
        note = "tabs or line ends, written as" in capfd.readouterr().err
        assert note is (suffix == "tsv" and number == 1)

    expected = RECORDS
    if suffix == "tsv":
        expected = [{name: in_tsv(cell) for name, cell in record.items()} for record in RECORDS]
    assert {*contents} == {contents[0]}
    assert read(format_named(suffix), contents[0]) == expected


def test_texts_pass_through_dedupe_from_format_to_format(tmp_path: Path) -> None:
    file = tmp_path / "0.tsv"
    plain = [
        record
        for record in RECORDS
        if in_tsv(record["note"] + record["text"]) == record["note"] + record["text"]
    ]
    file.write_bytes(b"note\ttext\n" + b"".join(f"{row['note']}\t{row['text']}\n".encode() for row in plain))
    for number, suffix in enumerate(["csv", "jsonl", "tsv", "json", "csv", "tsv"], 1):
        output = tmp_path / f"{number}.{suffix}"
        assert run(["dedupe", "--exact", "-q", str(file), "-o", str(output)]) == 0
        assert read(format_named(suffix), output.read_bytes()) == plain
        file = output

    assert file.read_bytes() == (tmp_path / "0.tsv").read_bytes()

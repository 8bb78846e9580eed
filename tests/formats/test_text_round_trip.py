"""Texts, their ids and fields, written in each format and read back: exact, but for what TSV cannot hold."""

from __future__ import annotations

import io
import sys
import unicodedata
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from simil.errors import InputError
from simil.formats.delimited import delimited_lines
from simil.formats.detection import TypedSource
from simil.formats.registry import FORMATS, Format, format_named
from simil.formats.sources import Source
from simil.texts import ReadOptions, Text, is_blank, read_texts

ROWS = [form for form in FORMATS if form.write and form.read]
every_format = pytest.mark.parametrize("form", ROWS, ids=lambda form: form.name)
every_format_of_text = pytest.mark.parametrize(
    "form", [form for form in ROWS if not form.is_binary], ids=lambda form: form.name
)

MARKS = [
    "\r",
    "\n",
    "\r\n",
    "\t",
    ",",
    ";",
    "|",
    '"',
    "'",
    "\\",
    "\\t",
    " ",
    "\0",
    "\ufeff",
    "sep=",
    "\x85",
    "#2",
]


def characters() -> list[str]:
    """Some characters of each category that UTF-8 can hold: the first, the last, and some between."""
    found: dict[str, list[str]] = {}
    for number in range(sys.maxunicode + 1):
        found.setdefault(unicodedata.category(chr(number)), []).append(chr(number))
    del found["Cs"]
    return [char for every in found.values() for char in {*every[:: len(every) // 4 + 1], every[-1]}]


# What formats are made of is as likely as all else.
text = st.lists(st.sampled_from(characters()) | st.sampled_from(MARKS), max_size=6).map("".join)


def in_tsv(cell: str) -> str:
    return cell.replace("\t", r"\t").replace("\n", r"\n").replace("\r", r"\r")


@st.composite
def records(draw: st.DrawFn) -> list[dict[str, str]]:
    """Records of the same fields, in any order, among them an id and a text."""
    names = draw(st.lists(text, max_size=2, unique_by=in_tsv))
    columns = draw(st.permutations(["id", "text", *{*names} - {"id", "text"}]))
    cells = st.lists(text, min_size=len(columns), max_size=len(columns))
    return [dict(zip(columns, row, strict=True)) for row in draw(st.lists(cells, min_size=1, max_size=3))]


def read(form: Format, data: bytes, **options: Any) -> list[Text]:
    source = TypedSource(Source("-", io.BytesIO(data)), form)
    return [*read_texts([source], ReadOptions(**options), on_blank=lambda place: None)]


def written(form: Format, rows: Sequence[dict[str, Any]]) -> bytes:
    assert form.write
    return b"".join(form.write(rows, {}, ()))


def expected(rows: Sequence[dict[str, str]]) -> list[tuple[str, str, list[tuple[str, str]]]]:
    return [
        (row["id"], row["text"], [item for item in row.items() if item[0] not in ("id", "text")])
        for row in rows
        if not is_blank(row["text"])
    ]


def found(texts: Sequence[Text]) -> list[tuple[str, str, list[Any]]]:
    return [(item.id, item.text, [*item.fields.items()]) for item in texts]


def as_held(form: Format, rows: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    change: Callable[[str], str] = in_tsv if form.name == "tsv" else str
    return [{change(name): change(cell) for name, cell in row.items()} for row in rows]


@every_format
@settings(deadline=None)
@given(rows=records())
def test_ids_texts_and_fields_come_back_in_order(form: Format, rows: list[dict[str, str]]) -> None:
    assert found(read(form, written(form, rows))) == expected(as_held(form, rows))


@every_format_of_text
@settings(deadline=None)
@given(
    rows=records(),
    encoding=st.sampled_from(["utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-32-be", "gb18030"]),
)
def test_they_do_in_any_encoding(form: Format, encoding: str, rows: list[dict[str, str]]) -> None:
    data = written(form, rows).decode().removeprefix("\ufeff")
    if data.startswith(("\ufeff", "\0")):
        return  # That is a mark.
    again = read(form, data.encode(encoding), encoding=encoding)
    assert found(again) == found(read(form, data.encode()))


@pytest.mark.parametrize("name", ["csv", "tsv"])
@settings(deadline=None)
@given(cells=st.lists(text, min_size=1, max_size=5))
def test_a_table_of_one_column_without_a_header(name: str, cells: list[str]) -> None:
    form = format_named(name)
    assert form.table
    data = b"".join(delimited_lines(form.table, [[cell] for cell in cells]))
    assume(b"\0" not in data[:4])  # That may be UTF-16 without a byte order mark, which is refused.
    change = in_tsv if name == "tsv" else str
    texts = [item.text for item in read(form, data, header=False)]
    assert texts == [change(cell) for cell in cells if not is_blank(change(cell))]


@pytest.mark.parametrize("name", ["json", "jsonl"])
def test_half_of_a_surrogate_pair_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="cannot be written as JSON"):
        written(format_named(name), [{"id": "1", "text": "\ud800"}])


@pytest.mark.parametrize("name", ["json", "jsonl"])
@given(number=st.integers(-(10**40), 10**40) | st.integers())
def test_integers_come_back_however_large(name: str, number: int) -> None:
    form = format_named(name)
    (item,) = read(form, written(form, [{"id": number, "text": "a", "n": [{"m": number}]}]))
    assert item.id == str(number)
    assert item.fields == {"n": [{"m": number}]}

"""Texts in Parquet and Arrow: values, types, order and places, from files, pipes and folders."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import re
import tempfile
import uuid
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pyarrow import ipc
from support.reading import opened

from simil.cli.app import run
from simil.errors import InputError
from simil.formats.arrow_values import as_column, as_inferred, inferred_type, python_values
from simil.formats.part_files import part_files
from simil.texts import ReadOptions, Text, read_texts
from simil.texts.counting import count_roughly

FORMS = ["parquet", "arrow"]

# One of each category of Unicode but halves of surrogate pairs, and what other formats cannot hold.
EVERY = "Aaǅʰª\u0301\u0903\u20dd1Ⅷ¼_-()«»!+$^© \u2028\u2029\x00\u200d\ue000\U0010ffff\r\n\t\"',;|\ufeff"
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def write(path: Path, table: pa.Table, *, rows: int = 2) -> Path:
    """Write a table as the suffix of `path` says, in groups of so many rows."""
    if path.suffix == ".parquet":
        pq.write_table(table, path, row_group_size=rows)
    else:
        with ipc.new_file(path, table.schema) as writer:
            writer.write_table(table, rows)
    return path


def read(path: object, stdin: Any = None, **options: Any) -> list[Text]:
    reading = ReadOptions(**options)
    sources = opened([path], reading, stdin)
    return [*read_texts(sources, reading, on_blank=lambda place: None)]


def of_parquet(path: Path) -> pa.Table:
    return pq.read_table(path) if path.suffix == ".parquet" else ipc.open_file(path).read_all()


# --- texts ---


@pytest.mark.parametrize("form", FORMS)
@given(texts=st.lists(text, max_size=6), ids=st.data())
@example(texts=[EVERY], ids=None)
def test_any_texts_ids_and_fields_are_read(form: str, texts: list[str], ids: Any) -> None:
    names = [EVERY] if ids is None else ids.draw(st.lists(text, min_size=len(texts), max_size=len(texts)))
    table = pa.table({"id": names, "text": texts, "n": range(len(texts))}, schema=_schema(n=pa.int8()))
    with tempfile.TemporaryDirectory() as folder:
        found = read(write(Path(folder, f"x.{form}"), table))
    rows = [row for row, one in enumerate(texts) if one and not one.isspace()]
    assert [one.text for one in found] == [texts[row] for row in rows]
    assert [one.id for one in found] == [names[row] for row in rows]
    assert [one.fields for one in found] == [{"n": row} for row in rows]
    assert [one.origin.line for one in found] == [row + 1 for row in rows]


def _schema(**more: pa.DataType) -> pa.Schema:
    return pa.schema([("id", pa.string()), ("text", pa.string()), *more.items()])


@pytest.mark.parametrize(
    "form",
    [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())],
    ids=str,
)
def test_every_type_of_strings_holds_texts(form: pa.DataType, tmp_path: Path) -> None:
    column = pa.chunked_array([pa.array(["a", None, "", "b"], form), pa.array(["a"], form)])
    found = read(write(tmp_path / "x.parquet", pa.table({"title": column})), fields=("title",))
    assert [(one.id, one.text) for one in found] == [("1", "a"), ("4", "b"), ("5", "a")]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([1], "field 'text' is a number, not a string"),
        ([b"a"], "field 'text' is a bytes, not a string"),
        ([["a"]], "field 'text' is an array, not a string"),
        ([dt.date(2024, 1, 1)], "field 'text' is a date, not a string"),
    ],
)
def test_a_column_of_another_type_holds_no_texts(values: list[object], said: str, tmp_path: Path) -> None:
    path = write(tmp_path / "x.arrow", pa.table({"text": values}))
    with pytest.raises(InputError, match=said) as caught:
        read(path)
    assert (caught.value.place and caught.value.place.line) == 1


def test_a_text_that_is_not_utf8_is_an_error_of_its_row(tmp_path: Path) -> None:
    bad = pa.Array.from_buffers(pa.string(), 3, pa.array([b"a", b"\xff", b"b"], pa.binary()).buffers())
    path = write(tmp_path / "x.parquet", pa.table({"text": bad}), rows=3)
    errors: list[InputError] = []
    sources = opened([path])
    texts = read_texts(sources, ReadOptions(), on_blank=lambda place: None, on_error=errors.append)
    assert [(one.id, one.text) for one in texts] == [("1", "a"), ("3", "b")]
    assert [str(error.place) for error in errors] == [f"{path}:2"]


def test_two_columns_of_one_name(tmp_path: Path) -> None:
    table = pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["text", "text"])
    with pytest.raises(InputError, match="two columns are named 'text'"):
        read(write(tmp_path / "x.parquet", table))


def test_names_with_dots_and_members_of_structs_stay_apart(tmp_path: Path) -> None:
    table = pa.table({"a.b": ["x"], "a": [{"b": "y"}], "": ["z"], "embedding": [[1.0]]})
    (found,) = read(write(tmp_path / "x.parquet", table), fields=("a.b",))
    assert (found.text, found.fields) == ("x", {"a": {"b": "y"}, "": "z"})


@pytest.mark.parametrize("form", FORMS)
def test_many_rows_keep_their_order(form: str, tmp_path: Path) -> None:
    count = 10_000
    table = pa.table({"text": [f"t{row}" for row in range(count)]})
    found = read(write(tmp_path / f"x.{form}", table, rows=4500))
    assert [one.text for one in found] == [f"t{row}" for row in range(count)]


# --- other sources than a file ---


def test_what_is_piped_in_is_known_by_its_first_bytes(tmp_path: Path) -> None:
    table = pa.table({"text": ["a", "b"]})
    for form in FORMS:
        data = write(tmp_path / f"x.{form}", table).read_bytes()
        assert [one.text for one in read("-", io.BytesIO(data))] == ["a", "b"]


def test_a_stream_of_arrow_is_known_by_its_suffix(tmp_path: Path) -> None:
    table = pa.table({"text": ["a", "b"], "n": pa.array([1, 2], pa.int8())})
    path = tmp_path / "x.arrow"
    with ipc.new_stream(path, table.schema) as writer:
        writer.write_table(table, 1)
    assert [(one.text, one.fields) for one in read(path)] == [("a", {"n": 1}), ("b", {"n": 2})]


@pytest.mark.parametrize("name", ["x.parquet", "x.arrow", "x.feather"])
@pytest.mark.parametrize("data", [b"", b"PAR1", b"ARROW1\0\0", b"a\nb\n", b"PAR1" + bytes(90) + b"PAR1"])
def test_what_is_damaged_is_told(name: str, data: bytes, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(InputError, match="is not a sound Parquet or Arrow file") as caught:
        read(path)
    assert str(caught.value.place) == str(path)


def test_an_offset_that_points_elsewhere_is_damage(tmp_path: Path) -> None:
    path = write(tmp_path / "x.arrow", pa.table({"text": ["abc", "defgh"]}))
    offsets = b"".join(number.to_bytes(4, "little") for number in (0, 3, 8))
    assert path.read_bytes().count(offsets) == 1
    path.write_bytes(path.read_bytes().replace(offsets, offsets[:8] + bytes([8, 0, 0, 0x68])))
    with pytest.raises(InputError, match="is not a sound Parquet or Arrow file"):
        read(path)


def test_a_file_cut_short(tmp_path: Path) -> None:
    for form in FORMS:
        path = write(tmp_path / f"x.{form}", pa.table({"text": ["a" * 5000]}))
        path.write_bytes(path.read_bytes()[:-20])
        with pytest.raises(InputError, match="is not a sound Parquet or Arrow file"):
            read(path)


# --- folders ---


def test_a_folder_of_parquet_files_is_one_source(tmp_path: Path) -> None:
    folder = tmp_path / "table"
    folder.mkdir()
    for name, texts in (("part-00001.parquet", ["c"]), ("part-00000.parquet", ["a", "b"])):
        write(folder / name, pa.table({"text": texts, "n": range(len(texts))}))
    for beside in ("_SUCCESS", "_metadata", ".part-00000.parquet.crc"):
        (folder / beside).touch()
    assert [path.name for path in part_files(str(folder)) or []] == [
        "part-00000.parquet",
        "part-00001.parquet",
    ]
    found = read(folder)
    assert [(one.id, one.text, one.fields) for one in found] == [
        ("1", "a", {"n": 0}),
        ("2", "b", {"n": 1}),
        ("3", "c", {"n": 0}),
    ]
    assert str(found[2].origin) == f"{folder}:3"


def test_columns_of_a_folder_are_found_by_name(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", pa.table({"text": ["a"], "n": [1]}))
    write(tmp_path / "b.parquet", pa.table({"n": [2], "text": ["b"]}))
    assert [(one.text, one.fields) for one in read(tmp_path)] == [("a", {"n": 1}), ("b", {"n": 2})]
    write(tmp_path / "c.parquet", pa.table({"text": ["c"]}))
    with pytest.raises(InputError, match="not all files of the folder have a column 'n'") as caught:
        read(tmp_path)
    assert str(caught.value.place) == str(tmp_path / "c.parquet")


def test_types_of_a_folder_are_those_that_hold_all_values(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    write(tmp_path / "in" / "a.parquet", pa.table({"text": ["a"], "n": pa.array([1], pa.int8())}))
    write(tmp_path / "in" / "b.parquet", pa.table({"text": ["b"], "n": [2.5]}))
    write(tmp_path / "in" / "c.parquet", pa.table({"text": ["c"], "n": pa.nulls(1)}))
    output = tmp_path / "out.parquet"
    assert run(["dedupe", "--exact", "-q", str(tmp_path / "in"), "-o", str(output)]) == 0
    assert of_parquet(output).to_pydict() == {"text": ["a", "b", "c"], "n": [1.0, 2.5, None]}
    write(tmp_path / "in" / "d.parquet", pa.table({"text": ["d"], "n": ["x"]}))
    with pytest.raises(InputError, match="the column 'n' is string, and double in files before it"):
        read(tmp_path / "in")


def test_types_of_two_files_that_differ_are_found_anew(tmp_path: Path) -> None:
    write(
        tmp_path / "a.parquet",
        pa.table({"text": ["a"], "n": pa.array([1], pa.int8()), "f": pa.array([1], pa.int8())}),
    )
    write(tmp_path / "b.parquet", pa.table({"text": ["b"], "n": [2.5], "f": pa.array([1], pa.int8())}))
    output = tmp_path / "out.parquet"
    assert (
        run(
            [
                "dedupe",
                "--exact",
                "-q",
                *(str(tmp_path / f"{name}.parquet") for name in "ab"),
                "-o",
                str(output),
            ]
        )
        == 0
    )
    assert of_parquet(output)["n"].to_pylist() == [1.0, 2.5]
    assert of_parquet(output).schema.field("f").type == pa.int8()


def test_other_folders_are_directories(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a directory"):
        read(tmp_path)
    write(tmp_path / "a.parquet", pa.table({"text": ["a"]}))
    (tmp_path / "notes.txt").touch()
    with pytest.raises(InputError, match="is a directory"):
        read(tmp_path)


def test_a_table_in_partitions_lacks_a_column(tmp_path: Path) -> None:
    (tmp_path / "year=2024").mkdir()
    write(tmp_path / "year=2024" / "a.parquet", pa.table({"text": ["a"]}))
    with pytest.raises(InputError, match=r"is a table in partitions \(year=2024\)"):
        read(tmp_path)


# --- types ---

SOME_DAY = dt.datetime(2024, 2, 29, 12, 30, 15, 123456)
NANOSECONDS = pa.scalar(1709209815123456789, pa.int64())
TYPED: list[tuple[pa.DataType, list[object], object]] = [
    (pa.bool_(), [True, None], True),
    (pa.int8(), [-128, None], -128),
    (pa.uint64(), [2**64 - 1], 2**64 - 1),
    (pa.float16(), [1.5, None], 1.5),
    (pa.float32(), [0.1, None], 0.1),
    (pa.float64(), [0.1], 0.1),
    (pa.decimal128(20, 2), [Decimal("12345678901234567.10"), None], "12345678901234567.10"),
    (pa.date32(), [SOME_DAY.date(), None], "2024-02-29"),
    (pa.timestamp("ms"), [SOME_DAY.replace(microsecond=5000)], "2024-02-29T12:30:15.005000"),
    (
        pa.timestamp("us", "Europe/Berlin"),
        [SOME_DAY.replace(tzinfo=dt.UTC)],
        "2024-02-29T13:30:15.123456+01:00",
    ),
    (pa.timestamp("ns"), [SOME_DAY, None], "2024-02-29T12:30:15.123456"),
    (pa.timestamp("ns"), [NANOSECONDS], "2024-02-29T12:30:15.123456789"),
    (pa.timestamp("ns", "UTC"), [NANOSECONDS, None], "2024-02-29T12:30:15.123456789Z"),
    (pa.time64("us"), [dt.time(1, 2, 3)], "01:02:03"),
    (pa.time64("ns"), [pa.scalar(3723000000001, pa.int64()), None], "01:02:03.000000001"),
    (pa.duration("us"), [dt.timedelta(days=1, seconds=2)], "1 day, 0:00:02"),
    (pa.duration("ns"), [pa.scalar(1, pa.int64()), None], 1),
    (pa.binary(), [b"\xff\x00", None], "/wA="),
    (pa.binary(2), [b"\xff\x00"], "/wA="),
    (pa.large_string(), ["a"], "a"),
    (pa.dictionary(pa.int8(), pa.string()), ["a", None], "a"),
    (pa.list_(pa.int32()), [[1, None], [], None], [1, None]),
    (pa.large_list(pa.string()), [["a"]], ["a"]),
    (pa.list_(pa.int8(), 2), [[1, 2]], [1, 2]),
    (
        pa.struct([("a", pa.int8()), ("b", pa.list_(pa.string()))]),
        [{"a": 1, "b": ["x"]}],
        {"a": 1, "b": ["x"]},
    ),
    (pa.map_(pa.string(), pa.int8()), [[("a", 1)], None], [["a", 1]]),
    (pa.uuid(), [uuid.UUID(int=7).bytes, None], str(uuid.UUID(int=7))),
    (pa.json_(), ['{"a": 1}'], '{"a": 1}'),
    (pa.bool8(), [1], True),
]


def column_of(form: pa.DataType, values: list[object]) -> Any:
    if any(isinstance(value, pa.Scalar) for value in values):
        numbers = [None if value is None else value.as_py() for value in values]  # type: ignore[attr-defined]
        return pa.array(numbers, pa.int64()).cast(form)
    if isinstance(form, pa.BaseExtensionType):
        return pa.ExtensionArray.from_storage(form, pa.array(values, form.storage_type))
    return pa.array(values, form)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("found", "values", "in_json"), TYPED, ids=lambda value: str(value)[:40])
def test_columns_pass_through_with_their_types(
    form: str, found: pa.DataType, values: list[object], in_json: object, tmp_path: Path
) -> None:
    column = column_of(found, values)
    texts = [f"text {row}" for row in range(len(values))]
    source = write(tmp_path / f"in.{form}", pa.table({"text": texts, "x": column}))
    for name in ("out.parquet", "out.arrow", "out.jsonl", "out.csv"):
        assert run(["dedupe", "--exact", "-q", str(source), "-o", str(tmp_path / name)]) == 0

    for name in ("out.parquet", "out.arrow"):
        written = of_parquet(tmp_path / name)["x"].combine_chunks()
        # A dictionary is known before the last row in neither Arrow's files nor by us.
        plain = found.value_type if name == "out.arrow" and pa.types.is_dictionary(found) else found
        assert written.type == plain
        assert written.cast(plain).equals(column.cast(plain))
    line = json.loads((tmp_path / "out.jsonl").read_text("utf-8").splitlines()[0])
    assert line == {"text": "text 0", "x": in_json}
    cell = in_json if isinstance(in_json, str) else json.dumps(in_json, separators=(",", ":"))
    assert _first_cell(tmp_path / "out.csv") == cell


def _first_cell(path: Path) -> str:
    with path.open(encoding="utf-8", newline="") as stream:
        return next(csv.DictReader(stream))["x"]


@given(values=st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False)))
def test_float32_is_read_with_its_shortest_digits(values: list[float]) -> None:
    found = python_values(pa.array(values, pa.float32()))
    assert pa.array(found, pa.float32()).to_pylist() == values
    assert all(len(repr(short)) <= len(repr(long)) for short, long in zip(found, values, strict=True))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, None], pa.int64()),
        ([1, 2.5], pa.float64()),
        (["a", None], pa.string()),
        ([["a"], []], pa.list_(pa.string())),
        ([True], pa.bool_()),
        ([1, "a"], None),
        ([1, True], None),
        ([2**70], None),
        ([None], None),
        ([], None),
        ([{"a": 1}], None),
        ([[{"a": 1}]], None),
    ],
)
def test_the_type_of_values_without_one(values: list[object], expected: Any) -> None:
    assert inferred_type(values) == expected


@pytest.mark.parametrize(
    ("values", "form"),
    [
        (["a"], pa.int8()),
        ([300], pa.int8()),
        ([1, 2.5], pa.int64()),
        ([float("inf")], pa.int32()),
        ([1e39], pa.float32()),
        ([1e5], pa.float16()),
        ([True], pa.float64()),
        ([1.5], pa.timestamp("s")),
        ([[1, 1.5]], pa.list_(pa.int64())),
        ([[1.5]], pa.list_(pa.int64(), 1)),
        ([{"a": 1, "b": 2}], pa.struct([("a", pa.int64())])),
        ([{"a": [{"b": 1.5}]}], pa.struct([("a", pa.list_(pa.struct([("b", pa.int64())])))])),
    ],
)
def test_a_value_that_its_column_cannot_hold(values: list[object], form: pa.DataType) -> None:
    with pytest.raises(InputError, match=re.escape(f"the field 'x' cannot be written as {form}")):
        as_column(values, form, "x")


@pytest.mark.parametrize(
    ("value", "form"),
    [
        (2.0, pa.int64()),
        (float("nan"), pa.float32()),
        (float("-inf"), pa.float16()),
        (-1e38, pa.float32()),
        (1, pa.float64()),
        ({"a": None}, pa.struct([("a", pa.int64())])),
        ({}, pa.struct([("a", pa.int64())])),
    ],
)
def test_a_value_that_its_column_holds(value: object, form: pa.DataType) -> None:
    (kept,) = as_column([value], form, "x").to_pylist()

    assert (
        kept == pytest.approx(value, nan_ok=True)
        if isinstance(value, float)
        else kept == (value or {"a": None})
    )


@pytest.mark.parametrize(
    ("values", "form", "expected"),
    [
        ([1, 2], pa.float64(), [1.0, 2.0]),
        ([2.0], pa.int64(), [2]),
        ([None], pa.string(), [None]),
        ([float("nan"), 1.5], pa.float64(), [None, 1.5]),
        ([[], None], pa.list_(pa.int64()), [[], None]),
    ],
)
def test_later_values_of_a_found_type(
    values: list[object], form: pa.DataType, expected: list[object]
) -> None:
    assert as_inferred(values, form, "x").to_pylist() == expected


@pytest.mark.parametrize(
    ("values", "form"),
    [
        ([1.5], pa.int64()),
        (["1"], pa.int64()),
        ([True], pa.int64()),
        ([1], pa.bool_()),
        ([1], pa.string()),
        ([[1.5]], pa.list_(pa.int64())),
        ([2**53 + 1], pa.float64()),
        ([1, "a"], pa.int64()),
    ],
)
def test_later_values_of_another_type(values: list[object], form: pa.DataType) -> None:
    with pytest.raises(InputError, match="the field 'x' cannot be written as"):
        as_inferred(values, form, "x")


# --- through commands ---


def test_a_dedupe_of_parquet_prints_lines_of_json(tmp_path: Path, capfdbinary: Any) -> None:
    source = write(tmp_path / "x.parquet", pa.table({"id": [7, 8], "text": ["a", "a"], "b": [b"x", b"y"]}))
    assert run(["dedupe", "--exact", str(source)]) == 0
    assert capfdbinary.readouterr().out == b'{"id":7,"text":"a","b":"eA=="}\n'


def test_rows_of_results_are_a_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIMIL_MODEL", "minilm")
    source = tmp_path / "x.jsonl"
    source.write_text('{"text":"apple","n":1,"o":{"a":1}}\n{"text":"pear","n":2.5}\n', "utf-8")
    output = tmp_path / "found.parquet"
    assert run(["search", "apple", str(source), "-o", str(output)]) == 0
    table = pq.read_table(output)
    assert table.schema.names == ["id", "score", "content", "file", "line", "text", "n", "o"]
    assert table["content"].to_pylist() == ["apple", "pear"]
    assert table["n"].to_pylist() == [1.0, 2.5]
    assert table["o"].to_pylist() == ['{"a":1}', None]
    assert table["score"].type == pa.float32()


def test_nothing_found_is_an_empty_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIMIL_MODEL", "minilm")
    source = tmp_path / "x.txt"
    source.write_text("apple\n", "utf-8")
    output = tmp_path / "found.arrow"
    assert run(["search", "sea", str(source), "--threshold", "0.99", "-o", str(output)]) == 1
    assert of_parquet(output).num_rows == 0


def test_rows_are_counted_for_the_progress_bar(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"x.{form}", pa.table({"text": ["a", None, "b"]})) for form in FORMS]
    assert count_roughly(opened(paths), ReadOptions()) == 6
    with ipc.new_stream(tmp_path / "y.arrow", pa.schema([("text", pa.string())])):
        pass
    assert count_roughly(opened([*paths, tmp_path / "y.arrow"]), ReadOptions()) is None

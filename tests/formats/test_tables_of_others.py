"""CSV and JSON of pandas, polars, DuckDB and spreadsheets are read; what is written, they read."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from support.reading import opened

from simil.formats.registry import format_named
from simil.texts import ReadOptions, Text, read_texts

TEXTS = [
    "plain",
    'a "quoted" line\r\nand more',
    "semi;colon, comma\ttab|pipe",
    "“x” … € é",
    " before and behind ",
    "=1+1",
    "c\rr",
    "sep=;",
    '"',
    "'",
    "\\n",
]
IDS = [f"r{number}" for number in range(len(TEXTS))]
COLUMNS = {"id": IDS, "n": [*"123456789ab"], "text": TEXTS}
ROWS = [dict(zip(COLUMNS, row, strict=True)) for row in zip(*COLUMNS.values(), strict=True)]
SEPARATORS = [",", ";", "\t", "|"]


def read(path: Path, **options: Any) -> list[Text]:
    how = ReadOptions(**options)
    return [*read_texts(opened([path], how), how, on_blank=lambda place: None)]


def assert_all_read(path: Path, **options: Any) -> None:
    texts = read(path, **options)
    assert [item.id for item in texts] == IDS
    assert [item.text for item in texts] == TEXTS
    assert [item.fields["n"] for item in texts] == COLUMNS["n"]


# --- written by others ---


@pytest.mark.parametrize("separator", SEPARATORS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_csv_of_pandas(tmp_path: Path, separator: str, encoding: str, end: str) -> None:
    import pandas as pd

    file = tmp_path / "a.csv"
    frame = pd.DataFrame(COLUMNS)
    named = {"encoding": encoding} if encoding == "cp1252" else {}
    frame.to_csv(file, sep=separator, encoding=encoding, index=False, lineterminator=end)
    assert_all_read(file, **named)
    frame.to_csv(file, sep=separator, encoding=encoding, lineterminator=end)  # a first column without a name
    assert_all_read(file, **named)


@pytest.mark.parametrize("separator", SEPARATORS)
@pytest.mark.parametrize("with_mark", [True, False])
def test_a_csv_of_polars(tmp_path: Path, separator: str, *, with_mark: bool) -> None:
    import polars as pl

    file = tmp_path / "a.csv"
    pl.DataFrame(COLUMNS).write_csv(file, separator=separator, include_bom=with_mark)
    assert_all_read(file)


@pytest.mark.parametrize("separator", SEPARATORS)
def test_a_csv_of_duckdb(tmp_path: Path, separator: str) -> None:
    import duckdb
    import polars as pl

    file = tmp_path / "a.csv"
    with duckdb.connect() as database:
        database.register("given", pl.DataFrame(COLUMNS).to_arrow())
        database.execute(f"COPY given TO '{file}' (FORMAT csv, HEADER, DELIMITER '{separator}')")
    assert_all_read(file)


@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
def test_a_csv_of_a_spreadsheet_in_a_country_with_decimal_commas(tmp_path: Path, quoting: Any) -> None:
    for encoding, named in [("cp1252", "cp1252"), ("utf-8-sig", None), ("utf-16", None)]:
        file = tmp_path / "a.csv"
        with file.open("w", encoding=encoding, newline="") as stream:
            writer = csv.writer(stream, delimiter=";", lineterminator="\r\n", quoting=quoting)
            # Empty cells at the end, as many as there are columns in use anywhere on the sheet, or fewer.
            writer.writerow([*COLUMNS, "", ""])
            writer.writerows([*row.values(), *[""] * (number % 4)] for number, row in enumerate(ROWS))
            writer.writerow([""] * 5)
        assert_all_read(file, encoding=named)


def test_json_of_pandas_polars_and_duckdb(tmp_path: Path) -> None:
    import duckdb
    import pandas as pd
    import polars as pl

    lines, document = tmp_path / "a.jsonl", tmp_path / "a.json"
    pd.DataFrame(COLUMNS).to_json(lines, orient="records", lines=True)
    assert_all_read(lines)
    pd.DataFrame(COLUMNS).to_json(document, orient="records")
    assert_all_read(document)
    pl.DataFrame(COLUMNS).write_ndjson(lines)
    assert_all_read(lines)
    pl.DataFrame(COLUMNS).write_json(document)
    assert_all_read(document)
    with duckdb.connect() as database:
        database.register("given", pl.DataFrame(COLUMNS).to_arrow())
        database.execute(f"COPY given TO '{lines}' (FORMAT json)")
        assert_all_read(lines)
        database.execute(f"COPY given TO '{document}' (FORMAT json, ARRAY true)")
        assert_all_read(document)


def test_integers_of_pandas_that_became_floats_are_ids_as_in_csv(tmp_path: Path) -> None:
    import pandas as pd

    # A missing value makes floats of all integers of a column.
    frame = pd.DataFrame({"id": [3, 1, None], "text": ["a", "b", "c"]}).dropna()
    lines, table = tmp_path / "a.jsonl", tmp_path / "a.csv"
    frame.to_json(lines, orient="records", lines=True)
    frame.to_csv(table, index=False)
    assert [item.id for item in read(lines)] == [item.id for item in read(table)] == ["3.0", "1.0"]


# --- written here ---


def written(path: Path) -> Path:
    form = format_named(path.suffix.removeprefix("."))
    assert form.write
    path.write_bytes(b"".join(form.write(ROWS, {}, ())))
    return path


def test_what_is_written_is_read_by_others(tmp_path: Path) -> None:
    import duckdb
    import pandas as pd
    import polars as pl

    table, lines = written(tmp_path / "a.csv"), written(tmp_path / "a.jsonl")
    assert pd.read_csv(table, dtype=str, keep_default_na=False).to_dict("records") == ROWS
    assert pd.read_json(lines, lines=True, dtype=False).to_dict("records") == ROWS
    assert pl.read_csv(table, infer_schema=False).to_dicts() == ROWS
    assert pl.read_ndjson(lines).to_dicts() == ROWS
    with duckdb.connect() as database:
        for reader in (
            f"read_csv('{table}', all_varchar = true, header = true, quote = '\"', escape = '\"')",
            f"read_json('{lines}', format = 'newline_delimited')",
        ):
            found = database.sql(f"SELECT id, n, text FROM {reader}").fetchall()
            assert [dict(zip(COLUMNS, row, strict=True)) for row in found] == ROWS
    assert json.loads(written(tmp_path / "a.json").read_bytes())["data"] == ROWS

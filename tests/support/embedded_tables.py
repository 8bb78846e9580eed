"""Outputs of runs as tables, to be compared to the last bit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lance
import pyarrow as pa
import pyarrow.parquet as pq

__all__ = ["assert_identical", "manifest_of", "parts_of", "table_of"]


def parts_of(folder: Path) -> list[Path]:
    """Return the files of an output, in its order."""
    return sorted(folder.glob("part-*.parquet"))


def table_of(output: Path) -> pa.Table:
    """Return all rows of an output, a dataset or a folder; its parts must agree on the columns."""
    if output.suffix == ".lance":
        return lance.dataset(str(output)).to_table()
    tables = [pq.read_table(part) for part in parts_of(output)]
    assert all(table.schema.equals(tables[0].schema, check_metadata=True) for table in tables)
    return pa.concat_tables(tables)


def assert_identical(found: pa.Table, expected: pa.Table) -> None:
    """Fail unless both have the same columns, metadata and rows, and vectors to the last bit."""
    assert found.schema.equals(expected.schema, check_metadata=True), (found.schema, expected.schema)
    assert found.num_rows == expected.num_rows
    for name in expected.column_names:
        one, other = found[name].combine_chunks(), expected[name].combine_chunks()
        assert one.is_null().equals(other.is_null()), name
        if name == "embedding":
            # Null vectors are nan in some forms, and nan equals nothing: bits do.
            assert one.flatten().view(pa.int32()).equals(other.flatten().view(pa.int32()))
        else:
            assert one.equals(other), name


def manifest_of(output: Path) -> list[Mapping[str, Any]]:
    """Return the lines of the manifest that are complete."""
    path = Path(f"{output}.simil.jsonl") if output.suffix == ".lance" else output / "_simil.jsonl"
    lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    return [json.loads(line) for line in lines if line.endswith(b"\n")]

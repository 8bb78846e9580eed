"""Tables with typed columns: Parquet and Arrow files, folders of them, and Lance datasets, read alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simil.formats.arrow_files import ArrowTable
from simil.formats.lance_files import LanceTable
from simil.formats.lance_paths import is_lance
from simil.formats.sources import Source

__all__ = ["ColumnTable", "column_types", "count_rows", "open_table"]

ColumnTable = ArrowTable | LanceTable


def open_table(source: Source) -> ColumnTable:
    """Return the rows of a source; raises InputError if it cannot be read, or is no such table."""
    return LanceTable(source.path) if is_lance(source.path) else ArrowTable(source)


def column_types(source: Source) -> Mapping[str, Any]:
    """Return the type of each column of a source; errors as in `open_table`."""
    return {field.name: field.type for field in open_table(source).schema}


def count_rows(source: Source) -> int | None:
    """Return the number of rows of a source, None if only reading all of them tells."""
    return open_table(source).count

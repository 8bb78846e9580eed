"""Folders of Parquet files, as Spark, DuckDB and others write a table: `part-00000.parquet` and so on."""

from __future__ import annotations

from pathlib import Path

from simil.errors import InputError, Place

__all__ = ["part_files"]

# What writers leave beside the parts.
_BESIDE = ("_", ".")
_SUFFIXES = (".parquet", ".pq")


def part_files(path: str) -> list[Path] | None:
    """Return the Parquet files of a folder that holds nothing else, by name; None if it is anything else.

    Names that begin with "_" or "." do not count. Raises InputError for a folder of folders that are named
    after the value of a column, as in `year=2024`: their files do not hold that column.
    """
    try:
        entries = sorted(entry for entry in Path(path).iterdir() if not entry.name.startswith(_BESIDE))
    except (OSError, ValueError):
        return None
    if entries and all(entry.is_dir() and "=" in entry.name for entry in entries):
        raise InputError(
            f"is a table in partitions ({entries[0].name}), whose files lack a column",
            hint="write it as one Parquet file",
            place=Place(path),
        )
    is_table = entries and all(entry.suffix.lower() in _SUFFIXES and entry.is_file() for entry in entries)
    return entries if is_table else None

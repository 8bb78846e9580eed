"""Shows a Lance dataset and its indexes, for people and for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simil.cli.output.cells import visible
from simil.cli.output.rows import name_in_json
from simil.cli.output.units import megabytes

if TYPE_CHECKING:
    from simil.index.index_description import DatasetDescription, IndexDescription

__all__ = ["dataset_json", "dataset_text"]


def dataset_json(found: DatasetDescription) -> str:
    """Return the facts about a dataset as one JSON object."""
    import orjson

    indexes = [
        {
            "name": index.name,
            "column": index.column,
            "kind": index.kind,
            "rows": index.rows,
            "rows_left": index.rows_left,
            "bytes": index.size,
            "settings": dict(index.settings),
        }
        for index in found.indexes
    ]
    facts = {
        "dataset": name_in_json(found.name),
        "rows": found.rows,
        "dimensions": found.dimensions,
        "model": found.model,
        "bytes": found.size,
        "fragments": found.fragments,
        "versions": found.versions,
        "indexes": indexes,
    }
    return f"{orjson.dumps(facts, option=orjson.OPT_INDENT_2).decode()}\n"


def dataset_text(found: DatasetDescription) -> str:
    """Return the facts about a dataset as lines."""
    lines = [
        f"rows        {found.rows:,}",
        f"dimensions  {found.dimensions:,}",
        f"model       {visible(found.model or 'unknown')}",
        f"size        {megabytes(found.size)} in {_many(found.fragments, 'fragment')}, "
        f"{_many(found.versions, 'version')}",
    ]
    lines += [""] if found.indexes else ["indexes     none; simil index builds them"]
    for index in found.indexes:
        lines += _index(index)
    return "\n".join(lines) + "\n"


def _index(index: IndexDescription) -> list[str]:
    settings = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in index.settings.items())
    left = f"; {index.rows_left:,} not in it (simil index --optimize)" if index.rows_left else ""
    size = f", {megabytes(index.size)}" if index.size is not None else ""
    head = f"{visible(index.column)}: {visible(index.kind)}, {_many(index.rows, 'row')}{size}{left}"
    return [head, f"    {visible(settings)}"] if settings else [head]


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"

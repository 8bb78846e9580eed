"""Vectors in a Lance dataset: read as Parquet is, and written in fragments that one commit makes visible."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from simil.errors import Place
from simil.formats.lance_library import lance, lance_errors
from simil.formats.sources import Source
from simil.vectors.arrow_form import read_arrow
from simil.vectors.collect import VectorFile
from simil.vectors.stored_vectors import StoredVectors
from simil.vectors.vector_columns import ColumnsWriter, VectorColumns

__all__ = ["LanceWriter", "commit_fragments", "read_lance", "write_fragments"]


def read_lance(source: Source) -> VectorFile:
    """Read all vectors of a dataset; errors as in `read_arrow`, also for one that does not fit in memory."""
    StoredVectors.open(source.path).check_memory()
    return read_arrow(source)


def write_fragments(uri: str, table: Any, *, append: bool = False) -> list[str]:
    """Write rows below `uri`, and return what `commit_fragments` takes: nobody sees them before.

    Any number of processes may write at once. With `append`, they are to be added to a dataset, whose columns
    they must have.
    """
    with lance_errors(Place(uri), "a place where a Lance dataset can be written"):
        written = lance().fragment.write_fragments(
            table, uri, schema=table.schema, mode="append" if append else "create"
        )
    return [json.dumps(fragment.to_json()) for fragment in written]


def commit_fragments(uri: str, schema: Any, fragments: Sequence[str], *, append: bool) -> None:
    """Make fragments visible, all at once, as a new version of the dataset at `uri`.

    They are added to what is there with `append`, and replace it otherwise.
    """
    library = lance()
    with lance_errors(Place(uri), "a place where a Lance dataset can be written"):
        found = [library.FragmentMetadata.from_json(fragment) for fragment in fragments]
        if append:
            version = library.dataset(uri).version
            library.LanceDataset.commit(uri, library.LanceOperation.Append(found), read_version=version)
        else:
            library.LanceDataset.commit(uri, library.LanceOperation.Overwrite(schema, found))


class LanceWriter(ColumnsWriter):
    """Writes a dataset, which appears whole, or is replaced whole, when the writer is closed."""

    def __init__(self, path: str, model: str | None, types: Mapping[str, Any]) -> None:
        """Write to a path or address; `types` are those that fields have in their source."""
        super().__init__(model, "lance", types)
        lance()
        self._path = path
        self._schema: Any = None
        self._fragments: list[str] = []

    def _begin(self, columns: VectorColumns) -> None:
        self._schema = columns.schema

    def _put(self, table: Any) -> None:
        self._fragments += write_fragments(self._path, table)

    def _finish(self) -> None:
        commit_fragments(self._path, self._schema, self._fragments, append=False)

"""Vectors in a Lance dataset: read as Parquet is, and written so that all of them appear at once."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simil.errors import InputError, Place, UsageError
from simil.formats.arrow_library import arrow
from simil.formats.arrow_rows import FieldColumns
from simil.formats.arrow_schemas import HASH, ColumnRoles, hash_column
from simil.formats.json_values import text_of
from simil.formats.lance_files import find_dataset
from simil.formats.lance_library import lance
from simil.formats.lance_paths import is_lance
from simil.formats.lance_types import check_column_name
from simil.formats.remote_paths import is_remote
from simil.formats.sources import Source
from simil.formats.tables import own_name
from simil.vectors.arrow_form import read_arrow
from simil.vectors.collect import VectorFile
from simil.vectors.dataset_locks import being_written
from simil.vectors.embedding_facts import EmbeddingFacts, text_hashes
from simil.vectors.lance_commits import commit_appended, commit_fragments, commit_written
from simil.vectors.lance_fragments import FragmentWriter, write_fragments
from simil.vectors.stored_vectors import StoredVectors
from simil.vectors.vector_batch import VectorBatch
from simil.vectors.vector_columns import ColumnsWriter, DecidedColumns, VectorColumns

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "LanceAppender",
    "LanceWriter",
    "check_lance_target",
    "commit_fragments",
    "dataset_to_append",
    "open_lance_writer",
    "read_lance",
    "write_fragments",
]

log = logging.getLogger("simil")


def read_lance(source: Source) -> VectorFile:
    """Read all vectors of a dataset; errors as in `read_arrow`, also for one that does not fit in memory."""
    StoredVectors.open(source.path).check_memory()
    return read_arrow(source)


def open_lance_writer(
    path: str,
    model: str | None,
    types: Mapping[str, Any] | None = None,
    facts: EmbeddingFacts | None = None,
    *,
    append: bool = False,
) -> LanceWriter:
    """Return a writer of a new dataset, or with `append` of further rows of the one that is there.

    `types` are those that fields have in their source, `facts` how texts were embedded, None if nobody knows.
    Raises `UsageError` where a dataset cannot be written.
    """
    existing = dataset_to_append(path) if append else None
    if existing is not None:
        return LanceAppender(existing, model, facts)
    return LanceWriter(path, model, types or {}, facts, unique=append)


def dataset_to_append(path: str) -> StoredVectors | None:
    """Return the dataset that rows can be added to, None where there is no dataset yet, or only an empty one.

    Raises `InputError` for a dataset that simil did not write.
    """
    dataset = find_dataset(path)
    if dataset is None:
        return None
    if ColumnRoles.of(dataset.schema) is None or hash_column(dataset.schema) is None:
        raise InputError(
            "was not written by simil, so no rows can be added",
            hint="write it again with simil embed, then append",
            place=Place(path),
        )
    stored = StoredVectors(path, dataset)
    return stored if stored.dimensions else None


class LanceWriter(ColumnsWriter):
    """Writes a dataset, which appears whole, or is replaced whole, when the writer is closed."""

    _appends = False

    def __init__(
        self,
        path: str,
        model: str | None,
        types: Mapping[str, Any],
        facts: EmbeddingFacts | None = None,
        *,
        unique: bool = False,
    ) -> None:
        """Write to a path or address; with `unique`, two rows never have the same id.

        An id that comes twice then raises `InputError`, and what another process has written meanwhile stays.
        """
        super().__init__(model, "lance", types)
        lance()
        check_lance_target(path)
        self._path = path
        self._facts = facts
        self._unique = unique
        self._before: Any = None
        self._fragments: FragmentWriter | None = None
        self._ids: list[Any] = []
        self._held = ExitStack()

    def discard(self) -> None:
        """Stop, and remove what was written; what was there before stays."""
        super().discard()
        if self._fragments is not None:
            self._fragments.discard()
        self._held.close()

    def close(self) -> None:
        """Make all rows visible; if that fails, as `discard`."""
        try:
            super().close()
        except BaseException:
            self.discard()
            raise
        self._held.close()

    def _columns_of(self, first: Sequence[VectorBatch]) -> VectorColumns:
        return LanceColumns(first, self._types, self._model, self._facts)

    def _begin(self, columns: VectorColumns) -> None:
        self._held.enter_context(being_written(self._path))
        self._fragments = FragmentWriter(self._path, columns.schema, append=self._appends)

    def _put(self, table: Any) -> None:
        assert self._columns is not None and self._fragments is not None
        if self._unique:
            self._ids += table.column(self._columns.roles.id).chunks
        self._fragments.write(table)

    def _finish(self) -> None:
        assert self._columns is not None and self._fragments is not None
        written, schema = self._fragments.finish(), self._columns.schema
        if not self._unique:
            commit_written(self._path, schema, written)
        elif self._ids or self._before is None:
            ids = arrow().chunked_array(self._ids, arrow().string())
            _check_unique(ids)
            done = commit_appended(self._path, self._before, schema, written, self._columns.roles.id, ids)
            log.warning("%s: %s added, %s replaced", self._path, _rows(done.added), f"{done.replaced:,}")


class LanceAppender(LanceWriter):
    """Adds rows to a dataset in one commit; one whose id is there takes that row's place.

    The first model, kind, length and fields of the dataset are those of all.
    """

    _appends = True

    def __init__(self, existing: StoredVectors, model: str | None, facts: EmbeddingFacts | None) -> None:
        """Write to an open dataset; raises `ModelMismatch` if its vectors were made otherwise."""
        existing.check_alike(model, facts)
        super().__init__(existing.name, existing.model, {}, facts, unique=True)
        self._existing = existing
        self._before = existing.dataset
        self.dimensions = existing.dimensions

    def _checked(self, batch: VectorBatch) -> NDArray[np.float32]:
        if batch.vectors.shape[1]:
            self._existing.check_dimensions(batch.vectors.shape[1])
        return super()._checked(batch)

    def _columns_of(self, first: Sequence[VectorBatch]) -> VectorColumns:
        is_alike = self._facts is not None and self._facts == self._existing.facts
        return ExistingLanceColumns(self._existing.dataset.schema, hashes=is_alike)


class LanceColumns(VectorColumns):
    """The columns of a dataset: those of Parquet, and one for the texts' hashes."""

    def __init__(
        self,
        first: Sequence[VectorBatch],
        types: Mapping[str, Any],
        model: str | None,
        facts: EmbeddingFacts | None,
        decided: DecidedColumns | None = None,
    ) -> None:
        """Take the first rows; the hashes are null if nobody knows how the texts were embedded."""
        super().__init__(first, types, "lance", model, decided)
        for name in self.schema.names:
            check_column_name(name)
        self._hash_column = own_name("text_hash", self.schema.names)
        self._has_hashes = facts is not None
        known = {} if facts is None else facts.metadata()
        metadata = {**self.schema.metadata, HASH: self._hash_column.encode(), **known}
        self.schema = self.schema.append(arrow().field(self._hash_column, arrow().int64())).with_metadata(
            metadata
        )

    def arrays(self, batch: VectorBatch) -> dict[str, Any]:
        """Return the columns of a batch by name."""
        import numpy as np

        failed = {*np.flatnonzero(np.isnan(batch.vectors[:, :1]).all(axis=1)).tolist()}
        known = [
            text if self._has_hashes and row not in failed else None for row, text in enumerate(batch.texts)
        ]
        return {**super().arrays(batch), self._hash_column: text_hashes(known)}


class ExistingLanceColumns(LanceColumns):
    """The columns of a dataset that is there; a field of strings takes other values as JSON."""

    def __init__(self, schema: Any, *, hashes: bool) -> None:
        roles, name = ColumnRoles.of(schema), hash_column(schema)
        assert roles is not None and name is not None
        own = {roles.id, roles.text, roles.embedding, name}
        types = {field.name: field.type for field in schema if field.name not in own}
        self.roles = roles
        self.schema = schema
        self._hash_column = name
        self._has_hashes = hashes
        self._vectors = schema.field(roles.embedding).type
        self._fields = FieldColumns("lance", [dict.fromkeys(types)], types, ())
        self._known = types.keys()
        self._texts = {name for name, form in types.items() if arrow().types.is_string(form)}

    def arrays(self, batch: VectorBatch) -> dict[str, Any]:
        """Return the columns of a batch by name; raises `InputError` for a field that is not there."""
        new = next((name for row in batch.fields for name in row if name not in self._known), None)
        if new is not None:
            raise InputError(
                f"the field {new!a} is not a column of the dataset",
                hint="leave it out, or write the dataset again",
            )
        rows = [{name: self._value(name, value) for name, value in row.items()} for row in batch.fields]
        return super().arrays(replace(batch, fields=rows))

    def _value(self, name: str, value: object) -> object:
        return value if name not in self._texts or value is None else text_of(value)


def check_lance_target(path: str) -> None:
    """Raise UsageError where no dataset can be written, before anything is embedded.

    A folder that holds anything but a dataset, or what a run that was killed has left of one, stays as it is.
    """
    if is_remote(path):
        find_dataset(path)
        return
    folder, place = Path(path), Place(path)
    try:
        if folder.is_symlink() and not folder.exists():
            raise UsageError("is a link to nothing", hint="remove it, or name another", place=place)
        if not folder.exists():
            _check_writable(folder.absolute().parent, place)
        elif not folder.is_dir():
            raise UsageError("is a file", hint="remove it, or name another", place=place)
        elif not is_lance(path) and any(entry.name != "data" for entry in folder.iterdir()):
            raise UsageError("is a folder with other contents", hint="name another", place=place)
        else:
            _check_writable(folder, place)
    except (OSError, ValueError) as exc:
        why = exc.strerror if isinstance(exc, OSError) else str(exc)
        raise UsageError(f"cannot be written: {why}", hint="check -o", place=place) from exc


def _check_writable(folder: Path, place: Place) -> None:
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOENT, os.strerror(errno.ENOENT))
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def _check_unique(ids: Any) -> None:
    """Raise InputError for an id that comes twice: it is not clear which row is meant."""
    if arrow().compute.count_distinct(ids).as_py() == len(ids):
        return
    counts = ids.value_counts()
    twice = next(pair["values"].as_py() for pair in counts if pair["counts"].as_py() > 1)
    raise InputError(
        f"the id {twice!a} is that of two rows, and a row is replaced by its id",
        hint="give each text its own with --id-field",
    )


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"

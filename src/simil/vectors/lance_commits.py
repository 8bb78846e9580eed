"""Commits to a Lance dataset: rows are added, those with their ids go, and a reader sees both or neither."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from simil.errors import InputError, Place, UsageError
from simil.formats.arrow_library import arrow
from simil.formats.lance_files import open_dataset
from simil.formats.lance_library import lance, lance_write_errors, storage_options

__all__ = ["Appended", "commit_appended", "commit_fragments", "commit_written"]

# How often others may be faster: each time, one of them has done its work.
_ATTEMPTS = 50


@dataclass(frozen=True, slots=True)
class Appended:
    """How many rows are new, and how many took the place of one with their id."""

    added: int
    replaced: int


def commit_fragments(uri: str, schema: Any, fragments: Sequence[str], *, append: bool) -> None:
    """Make fragments visible, all at once, as a new version of the dataset at `uri`.

    They are added to what is there with `append`, and replace it otherwise.
    """
    found = [lance().FragmentMetadata.from_json(fragment) for fragment in fragments]
    if not append:
        commit_written(uri, schema, found)
        return
    dataset = open_dataset(uri)
    with lance_write_errors(Place(uri)):
        lance().LanceDataset.commit(
            uri,
            lance().LanceOperation.Append(found),
            read_version=dataset.version,
            storage_options=storage_options(uri),
        )


def commit_written(path: str, schema: Any, fragments: Sequence[Any]) -> None:
    """Make fragments the dataset at a path or address: a new one, or the next version of one."""
    with lance_write_errors(Place(path)):
        operation = lance().LanceOperation.Overwrite(schema, [*fragments])
        lance().LanceDataset.commit(path, operation, storage_options=storage_options(path))


def commit_appended(path: str, before: Any, fragments: Sequence[Any], id_column: str, ids: Any) -> Appended:
    """Add fragments to a dataset in one commit, and remove the rows that have one of the `ids` of theirs.

    `before` is the dataset as it was when the fragments were written. Where another process commits at the
    same time, what it wrote is matched, too. Raises InputError if it changed the columns meanwhile.
    """
    place = Place(path)
    for _ in range(_ATTEMPTS):
        dataset = open_dataset(path)
        if _columns(dataset) != _columns(before):
            raise InputError("was written over by another process meanwhile", hint="try again", place=place)
        with lance_write_errors(place):
            operation, gone = _operation(dataset, fragments, id_column, ids)
            try:
                lance().LanceDataset.commit(
                    path,
                    operation,
                    read_version=dataset.version,
                    storage_options=storage_options(path),
                    # An empty dataset can only be replaced, and only if it is still that one.
                    max_retries=20 if dataset.get_fragments() else 0,
                )
            except OSError as exc:
                if "conflict" not in type(exc).__name__.lower():
                    raise
            else:
                return Appended(len(ids) - gone, gone)
    raise UsageError("is changed by other processes all the time", hint="try again later", place=place)


def _operation(dataset: Any, fragments: Sequence[Any], id_column: str, ids: Any) -> tuple[Any, int]:
    """Return the change as Lance takes it, and how many rows it removes.

    Two changes conflict if they change the same fragment. So that two that only add rows do, too, which may
    have the same ids, each claims to change the first fragment.
    """
    operations = lance().LanceOperation
    existing = dataset.get_fragments()
    if not existing:
        return operations.Overwrite(dataset.schema, [*fragments]), 0
    matching = dataset.merge_insert(id_column).when_matched_delete()
    transaction, counts = matching.execute_uncommitted(arrow().table({id_column: ids}))
    removal = transaction.operation
    changed = {fragment.id: fragment for fragment in removal.updated_fragments}
    first = existing[0].metadata
    if first.id not in removal.removed_fragment_ids:
        changed.setdefault(first.id, first)
    update = operations.Update(
        removed_fragment_ids=removal.removed_fragment_ids,
        updated_fragments=[*changed.values()],
        new_fragments=[*fragments],
        update_mode="rewrite_rows",
    )
    return update, counts["num_deleted_rows"]


def _columns(dataset: Any) -> object:
    """Return what must not change under an append: columns, how Lance numbers them, and the metadata."""
    numbers = [(field.name(), field.id()) for field in dataset.lance_schema.fields()]
    return dataset.schema, dataset.schema.metadata, numbers

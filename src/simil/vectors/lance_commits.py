"""Commits to a Lance dataset: rows are added, those with their ids go, and a reader sees both or neither."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from simil.errors import InputError, Place, UsageError
from simil.formats.arrow_library import arrow
from simil.formats.lance_files import find_dataset, open_dataset
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


def commit_appended(
    path: str, before: Any, schema: Any, fragments: Sequence[Any], id_column: str, ids: Any
) -> Appended:
    """Add fragments to a dataset in one commit, and remove the rows that have one of the `ids` of theirs.

    `before` is the dataset as it was when they were written, None if there was none that has rows: they make
    a new one. Where another process commits at the same time, its rows are matched, too. Raises InputError if
    the columns are no longer those of `schema`.
    """
    place = Place(path)
    for _ in range(_ATTEMPTS):
        dataset = find_dataset(path)
        if dataset is not None and dataset.get_fragments() and not _fits(dataset, before, schema):
            raise InputError("was meanwhile overwritten by another process", hint="try again", place=place)
        with lance_write_errors(place):
            done = _attempt(path, dataset, schema, fragments, id_column, ids)
        if done is not None:
            return done
    raise UsageError("is changed by other processes all the time", hint="try again later", place=place)


def _attempt(
    path: str, dataset: Any, schema: Any, fragments: Sequence[Any], id_column: str, ids: Any
) -> Appended | None:
    """Commit to this version of a dataset; return None if it is no longer the newest one."""
    has_rows = dataset is not None and dataset.get_fragments()
    if has_rows:
        operation, gone = _update(dataset, fragments, id_column, ids)
    else:
        operation, gone = lance().LanceOperation.Overwrite(schema, [*fragments]), 0
    try:
        lance().LanceDataset.commit(
            path,
            operation,
            read_version=dataset.version if dataset is not None else 0,
            storage_options=storage_options(path),
            # An empty dataset is replaced, and only if it is still that one.
            max_retries=20 if has_rows else 0,
        )
    except OSError as exc:
        if "conflict" in type(exc).__name__.lower() or (dataset is None and find_dataset(path) is not None):
            return None
        raise
    return Appended(len(ids) - gone, gone)


def _update(dataset: Any, fragments: Sequence[Any], id_column: str, ids: Any) -> tuple[Any, int]:
    """Return the change of a dataset with rows as Lance takes it, and how many rows it removes.

    Two changes conflict if they change the same fragment. So that two that only add rows do, too, which may
    have the same ids, each claims to change the first fragment.
    """
    matching = dataset.merge_insert(id_column).when_matched_delete()
    transaction, counts = matching.execute_uncommitted(arrow().table({id_column: ids}))
    removal = transaction.operation
    changed = {fragment.id: fragment for fragment in removal.updated_fragments}
    first = dataset.get_fragments()[0].metadata
    if first.id not in removal.removed_fragment_ids:
        changed.setdefault(first.id, first)
    update = lance().LanceOperation.Update(
        removed_fragment_ids=removal.removed_fragment_ids,
        updated_fragments=[*changed.values()],
        new_fragments=[*fragments],
        update_mode="rewrite_rows",
    )
    return update, counts["num_deleted_rows"]


def _fits(dataset: Any, before: Any, schema: Any) -> bool:
    """Return whether fragments with the columns of `schema`, numbered as in `before`, fit into a dataset."""
    is_same = dataset.schema.equals(schema, check_metadata=True)
    return is_same and (before is None or _numbers(dataset) == _numbers(before))


def _numbers(dataset: Any) -> list[tuple[str, int]]:
    return [(field.name(), field.id()) for field in dataset.lance_schema.fields()]

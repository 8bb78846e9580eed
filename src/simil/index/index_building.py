"""Builds the indexes of a dataset, and keeps them and its files in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from simil.errors import InputError
from simil.formats.arrow_library import arrow
from simil.formats.arrow_schemas import ColumnRoles
from simil.formats.lance_library import lance, lance_write_errors
from simil.index.index_description import fragments_left
from simil.index.stored_words import build_full_text, text_column
from simil.progress import Advance, Progress, silent
from simil.vectors.dataset_locks import nobody_writes

if TYPE_CHECKING:
    from simil.index.index_plan import IndexPlan
    from simil.vectors.stored_vectors import StoredVectors

__all__ = ["Optimized", "build", "optimize"]

# What Lance does while it builds an index, by its names for it.
_STAGES = {
    "train_quantizer": "learning codes",
    "shuffle": "assigning rows",
    "merge_partitions": "writing partitions",
}
# Versions that a reader may have open, and files that a writer may be about to commit.
_KEPT_FOR = timedelta(hours=1)
# Where somebody writes, or nobody can tell, such files stay until Lance takes them for abandoned: a week.
_EVER = timedelta(days=365_000)
_CHECK = "check that its folder can be written, and that the disk has room"
_BATCH_ROWS = 4096
_ALL = 1 << 20  # parts of an index that new rows are joined with
# Where a dataset keeps its rows and indexes; other files of Lance's tell of its versions.
_CONTENTS = ("data/", "_indices/", "_deletions/")


@dataclass(frozen=True, slots=True)
class Optimized:
    """What `optimize` did.

    Attributes:
        fragments: how many there were before and are now.
        rows: how many rows came into the vector index.
        freed: bytes of files that were removed.
        kept: bytes of files that no version has and that may belong to a writer at work, so that they stay.
    """

    fragments: tuple[int, int]
    rows: int
    freed: int
    kept: int


def build(
    stored: StoredVectors,
    plan: IndexPlan | None,
    *,
    language: str | None = None,
    progress: Progress = silent,
) -> None:
    """Build the indexes on ids, texts and vectors, in place of those that are there.

    Without a `plan` there is none on vectors; `language` is that of the texts. Each index appears when it is
    whole; until then, and when the run ends before, the old one stays. Raises InputError for vectors that
    Lance cannot index.
    """
    schema, rows = stored.dataset.schema, stored.dataset.count_rows()
    if plan is not None and not arrow().types.is_fixed_size_list(schema.field(stored.column).type):
        raise InputError(
            "has vectors in lists of any length, which Lance does not index",
            hint="write them again with simil embed -o",
            place=stored.place,
        )
    if rows == 0:
        return
    dataset, ids, texts = stored.dataset, _id_column(schema), text_column(schema)
    with lance_write_errors(stored.place, _CHECK):
        if ids is not None:
            with _stages(progress, "indexing ids") as report:
                dataset.create_scalar_index(
                    ids, "BTREE", name=_name(dataset, ids), replace=True, progress_callback=report
                )
        if texts is not None:
            with _stages(progress, "indexing texts") as report:
                build_full_text(dataset, *([language] if language else []), on_progress=report)
        if plan is not None:
            _build_on_vectors(dataset, stored.column, plan, progress)


def _build_on_vectors(dataset: Any, column: str, plan: IndexPlan, progress: Progress) -> None:
    # Where Lance 14.0.2 reports each round of k-means, now and then it waits for itself for ever. Partitions
    # that are found before, without reports, leave it nothing to wait for.
    with progress("indexing vectors: finding partitions"):
        found = (
            lance()
            .indices.IndicesBuilder(dataset, column)
            .train_ivf(plan.partitions, distance_type="cosine", sample_rate=plan.sample_rate)
        )
    with _stages(progress, "indexing vectors") as report:
        dataset.create_index(
            column,
            plan.kind.in_lance,
            name=_name(dataset, column),
            metric="cosine",
            replace=True,
            num_partitions=plan.partitions,
            ivf_centroids=found.centroids,
            sample_rate=plan.sample_rate,
            progress_callback=report,
            **plan.settings,
        )


def optimize(
    stored: StoredVectors, *, progress: Progress = silent, kept_for: timedelta = _KEPT_FOR
) -> Optimized:
    """Join small fragments, bring new rows into the indexes, and remove what is left of older states.

    Versions younger than `kept_for` stay, for those who read them, and so do files that no version has, if
    one of them is as young or a process of simil writes: they are about to be committed.
    """
    dataset = stored.dataset
    before = len(dataset.get_fragments())
    with lance_write_errors(stored.place, _CHECK):
        left = _rows_left(dataset, stored.column)
        # Lance joins only fragments that are in the same indexes.
        with progress("indexing new rows"):
            dataset.optimize.optimize_indices(num_indices_to_merge=_ALL)
        with progress("joining fragments"):
            dataset.optimize.compact_files(batch_size=_BATCH_ROWS, num_threads=1)
        with progress("removing old versions"), nobody_writes(stored.name) as alone:
            young = _young_leftovers(dataset, kept_for if alone else _EVER)
            removed = dataset.cleanup_old_versions(
                older_than=kept_for, delete_unverified=not young, error_if_tagged_old_versions=False
            )
    rows = left - _rows_left(dataset, stored.column)
    return Optimized((before, len(dataset.get_fragments())), rows, removed.bytes_removed, young)


def _id_column(schema: Any) -> str | None:
    roles = ColumnRoles.of(schema)
    name = roles.id if roles is not None else "id"
    return name if name in schema.names else None


def _name(dataset: Any, column: str) -> str | None:
    """Return the name of the index that a new one on a column takes the place of; None for Lance's choice."""
    names = [index.name for index in dataset.describe_indices() if index.field_names == [column]]
    return names[0] if names else None


def _rows_left(dataset: Any, column: str) -> int:
    """Return how many rows are not in the index on a column; 0 if there is none."""
    for index in dataset.describe_indices():
        if index.field_names == [column]:
            return sum(fragment.count_rows() for fragment in fragments_left(dataset, index))
    return 0


def _young_leftovers(dataset: Any, age: timedelta) -> int:
    """Return the bytes of files that no version has, if one of them is younger than `age`; else 0."""
    known = set(dataset.tracked_files().read_all()["path"].to_pylist())
    files = dataset.all_files().read_all().to_pylist()
    others = [file for file in files if file["path"] not in known and file["path"].startswith(_CONTENTS)]
    limit = datetime.now(UTC) - age
    if all(file["last_modified"] < limit for file in others):
        return 0
    return sum(file["size_bytes"] for file in others)


@contextmanager
def _stages(progress: Progress, what: str) -> Iterator[Callable[[Any], None]]:
    """Give what takes Lance's reports on an index, and show each of its stages as a task."""
    with ExitStack() as stack:
        task = _StageTask(progress, what)
        stack.callback(task.end)
        yield task.report


class _StageTask:
    """The stage of building an index that is shown."""

    def __init__(self, progress: Progress, what: str) -> None:
        self._progress = progress
        self._what = what
        self._open = ExitStack()
        self._advance: Advance | None = None
        self._done = 0

    def report(self, event: Any) -> None:
        """Show a report of Lance."""
        if event.event == "start":
            self.end()
            stage = _STAGES.get(event.stage)
            label = f"{self._what}: {stage}" if stage else self._what
            self._advance = self._open.enter_context(
                self._progress(label, total=event.total, unit=event.unit or "")
            )
        elif self._advance is not None and event.completed is not None:
            self._advance(event.completed - self._done)
            self._done = event.completed

    def end(self) -> None:
        """End the stage."""
        self._open.close()
        self._advance, self._done = None, 0

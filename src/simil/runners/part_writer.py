"""Writes a part: a file that appears complete or not at all, or fragments of a Lance dataset."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from simil.errors import Place, UsageError
from simil.formats.lance_files import find_dataset
from simil.formats.lance_paths import has_lance_suffix
from simil.formats.remote_paths import is_remote
from simil.runners.job import EmbedJob, PartReport
from simil.runners.object_stores import list_objects, write_object
from simil.vectors.arrow_form import ArrowWriter
from simil.vectors.embedding_facts import EmbeddingFacts
from simil.vectors.lance_form import LanceColumns, commit_fragments
from simil.vectors.lance_fragments import FragmentWriter
from simil.vectors.vector_batch import VectorBatch
from simil.vectors.vector_columns import ColumnsWriter, DecidedColumns, VectorColumns

if TYPE_CHECKING:
    from simil.runners.parts import Part

__all__ = [
    "DRAFT",
    "FragmentsWriter",
    "commit_run",
    "is_made_by",
    "lance_columns",
    "missing_parts",
    "part_writer",
    "remove_drafts",
]

# How names of unfinished files begin: those who read the folder as a table leave them out.
DRAFT = ".simil-part-"
# Names the run that made a dataset in the metadata of its schema; whoever writes it anew leaves that out.
_RUN = b"simil.run"
# Larger parts wait on disk until they are complete.
_IN_MEMORY = 128 << 20


@contextmanager
def part_writer(job: EmbedJob, part: Part) -> Iterator[ColumnsWriter]:
    """Yield a writer of the vectors of a part, which are there only if the block succeeds.

    Raises `UsageError` where they cannot be written.
    """
    if has_lance_suffix(job.output):
        with FragmentsWriter(job) as fragments:
            yield fragments
        return
    with (
        _open_file(job.output, part.name) as stream,
        ArrowWriter(stream, job.stamp, "parquet", {}, job.columns) as writer,
    ):
        yield writer


class FragmentsWriter(ColumnsWriter):
    """Writes fragments of a Lance dataset, which nobody sees before they are committed.

    Attributes:
        fragments: the fragments, once the writer is closed.
    """

    def __init__(self, job: EmbedJob) -> None:
        """Write below the output of a run."""
        super().__init__(job.stamp, "lance", {}, job.columns)
        self.fragments: Sequence[str] = ()
        self._job = job
        self._writer: FragmentWriter | None = None
        self._has_rows = False

    def discard(self) -> None:
        """Stop, and remove what was written."""
        super().discard()
        if self._writer is not None:
            self._writer.discard()

    def _columns_of(self, first: Sequence[VectorBatch]) -> VectorColumns:
        return lance_columns(self._job)

    def _begin(self, columns: VectorColumns) -> None:
        pass  # A part without rows has no fragment.

    def _put(self, table: Any) -> None:
        if self._writer is None:
            self._writer = FragmentWriter(self._job.output, table.schema, append=False)
        self._writer.write(table)

    def _finish(self) -> None:
        if self._writer is not None:
            self.fragments = [json.dumps(one.to_json()) for one in self._writer.finish()]


def lance_columns(job: EmbedJob) -> LanceColumns:
    """Return the columns of the dataset that a run writes."""
    assert isinstance(job.columns, DecidedColumns)
    facts = EmbeddingFacts(job.wanted.kind, job.wanted.normalize, tuple(job.wanted.ignored))
    return LanceColumns((), {}, job.stamp, facts, job.columns)


def remove_drafts(folder: str) -> None:
    """Remove the unfinished files of workers that were lost; for when no part is left to write."""
    if is_remote(folder):
        return
    for draft in Path(folder).glob(f"{DRAFT}*"):
        with suppress(OSError):
            draft.unlink()


def missing_parts(output: str, parts: Sequence[Part], done: Iterable[PartReport]) -> set[int]:
    """Return the numbers of the parts that were done, and of which a file is no longer there."""
    if is_remote(output):
        below = list_objects(f"{output.rstrip('/')}/", recursive=True)
        found = {one.address.rpartition("/")[2] for one in below}
    else:
        found = {path.name for path in Path(output).rglob("*")}
    if has_lance_suffix(output):
        return {report.number for report in done if not found.issuperset(_files_of(report))}
    return {part.number for part in parts if part.name not in found}


def commit_run(job: EmbedJob, run: str, reports: Iterable[PartReport]) -> None:
    """Make the parts of a run, in this order, the dataset, which then knows that this `run` has made it."""
    fragments = [*chain.from_iterable(report.fragments for report in reports)]
    schema = lance_columns(job).schema
    marked = schema.with_metadata({**schema.metadata, _RUN: run.encode()})
    commit_fragments(job.output, marked, fragments, append=False)


def is_made_by(output: str, run: str) -> bool:
    """Return whether a run has made the dataset that is there, whatever was added or removed since."""
    dataset = find_dataset(output)
    return dataset is not None and (dataset.schema.metadata or {}).get(_RUN) == run.encode()


def _files_of(report: PartReport) -> set[str]:
    """Return the names of the files that hold the rows of a part of a dataset."""
    return {file["path"] for fragment in report.fragments for file in json.loads(fragment)["files"]}


@contextmanager
def _open_file(folder: str, name: str) -> Iterator[BinaryIO]:
    """Yield a stream to the file `name` in a folder; it replaces the file only if the block succeeds."""
    if is_remote(folder):
        with SpooledTemporaryFile(_IN_MEMORY) as waiting:
            yield cast(BinaryIO, waiting)
            waiting.seek(0)
            write_object(f"{folder.rstrip('/')}/{name}", waiting.read())
        return
    path = Path(folder, name)
    draft = path.with_name(f"{DRAFT}{name}-{os.urandom(8).hex()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("xb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(path)
    except OSError as exc:
        raise UsageError(
            f"cannot be written: {exc.strerror or exc}", place=Place(str(path)), hint="check -o"
        ) from exc
    finally:
        with suppress(OSError):
            draft.unlink()

"""Embeds files on a cluster: looks at them, plans parts, and has actors embed those that are left."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from simil._version import __version__
from simil.config import Settings
from simil.embedders.factory import open_embedder
from simil.errors import SimilError
from simil.runners.input_files import list_inputs
from simil.runners.input_source import InputFile, InputSource
from simil.runners.job import EmbedJob, PartReport
from simil.runners.node_settings import settings_here, settings_to_send
from simil.runners.part_embedder import PartEmbedder
from simil.runners.part_manifest import PartManifest
from simil.runners.part_writer import remove_drafts, written_parts
from simil.runners.parts import Part, part_rows, plan_parts
from simil.runners.ray_cluster import ActorPool, choose_pool, node_sizes
from simil.runners.slices import FileSlice, slice_texts
from simil.runners.survey import FileFacts, survey
from simil.tasks.embedding import EmbedOptions
from simil.texts import ReadOptions

if TYPE_CHECKING:
    from simil.vectors.vector_columns import DecidedColumns

__all__ = ["ClusterRequest", "ClusterRun", "prepare"]

# So many rows decide the types of fields.
_SAMPLE = 16_384


@dataclass(frozen=True, slots=True)
class ClusterRequest:
    """What the user asks for.

    Attributes:
        names: files, folders and patterns.
        settings: those of the run.
        reading: how the texts are read.
        wanted: how vectors are wanted.
        on_error: what happens to texts that fail: "fail", "skip" or "null".
        output: a folder or an address.
        actors: how many actors; None for as many as fit.
        cores_per_actor: how many cores each has; None for what suits the nodes.
    """

    names: Sequence[str]
    settings: Settings
    reading: ReadOptions
    wanted: EmbedOptions
    on_error: str
    output: str
    actors: int | None = None
    cores_per_actor: int | None = None


@dataclass(frozen=True, slots=True)
class _FoundModel:
    stamp: str
    dimensions: int | None


def prepare(ray: Any, request: ClusterRequest) -> ClusterRun:
    """Look at the input, the model and the cluster, and plan the parts.

    Raises `UsageError`, `InputError` and `ModelError` for what cannot be done.
    """
    sources = list_inputs(request.names)
    pool = choose_pool(
        node_sizes(ray),
        actors=request.actors,
        cores_per_actor=request.cores_per_actor,
        uses_gpus=request.settings.device.kind != "cpu",
    )
    settings = settings_to_send(request.settings, threads=pool.cores)
    model = _asked(ray, _probe, settings, request.wanted)
    files = [file for source in sources for file in source]
    facts = _surveyed(ray, files, request.reading)
    request.reading.check_for({one.form for one in facts})
    found = iter(facts)
    planned = list(chain.from_iterable(_numbered(source, found) for source in sources))
    parts = plan_parts(planned, part_rows(sum(one.rows for one in facts), model.dimensions))
    columns = _asked(ray, _columns, parts, request.reading, len(sources) > 1, model.dimensions or 0)
    job = EmbedJob(
        settings,
        request.reading,
        request.wanted,
        request.on_error,
        len(sources) > 1,
        request.output,
        model.stamp,
        __version__,
        columns,
    )
    return ClusterRun(ray, job, pool, parts, PartManifest(request.output, _plan_of(files, job, parts)))


class ClusterRun:
    """A run that is planned.

    Attributes:
        job: how parts are embedded.
        pool: the actors.
        parts: all parts.
        manifest: which of them are done.
    """

    def __init__(
        self, ray: Any, job: EmbedJob, pool: ActorPool, parts: Sequence[Part], manifest: PartManifest
    ) -> None:
        self.job = job
        self.parts = parts
        self.manifest = manifest
        # What somebody has removed since is embedded again.
        written = written_parts(job.output) if manifest.done else set()
        self.left = [part for part in parts if part.number not in manifest.done or part.name not in written]
        self.pool = replace(pool, actors=min(pool.actors, max(len(self.left), 1)))
        self._ray = ray

    def embed(self) -> Iterator[PartReport]:
        """Embed the parts that are left, and yield the report of each when it is written.

        Raises the error that ends a part.
        """
        if self.manifest.is_complete and not self.left:
            return
        self.manifest.begin()
        for report in self._reports() if self.left else ():
            if report.error is not None:
                raise report.error
            self.manifest.add(report)
            yield report
        remove_drafts(self.job.output)
        self.manifest.complete()

    def _reports(self) -> Iterator[PartReport]:
        data = self._ray.data
        context = data.DataContext.get_current()
        context.enable_progress_bars = False
        context.print_on_execution_start = False
        rows = [{"part": pickle.dumps(part)} for part in self.left]
        done = data.from_items(rows, override_num_blocks=len(rows)).map_batches(
            PartEmbedder,
            batch_size=1,
            fn_constructor_args=(self.job,),
            compute=data.ActorPoolStrategy(size=self.pool.actors, max_tasks_in_flight_per_actor=2),
            num_cpus=self.pool.cores,
            num_gpus=self.pool.gpus or None,
        )
        # Ray would hold each report back until it has the next one, and a part whose report is not written
        # down would be embedded again.
        for batch in done.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0):
            yield from map(pickle.loads, batch["report"].to_pylist())


def _numbered(
    source: Sequence[InputFile], facts: Iterator[FileFacts]
) -> Iterator[tuple[InputFile, FileFacts, int]]:
    """Yield the files of a source with what is known of each, and how many rows come before it."""
    before = 0
    for file in source:
        found = next(facts)
        yield file, found, before
        before += found.rows


def _plan_of(files: Sequence[InputFile], job: EmbedJob, parts: Sequence[Part]) -> dict[str, Any]:
    """Return what has to be the same for a run to go on with another."""
    model, _, revision = job.stamp.rpartition("@")
    return {
        "simil": __version__,
        "model": model or revision,
        "revision": revision if model else "",
        "options": {
            "reading": repr(job.reading),
            "wanted": repr(job.wanted),
            "on_error": job.on_error,
            "overflow": job.settings.overflow,
            "precision": job.settings.precision,
        },
        "inputs": [[file.name, file.size, file.state] for file in files],
        "parts": len(parts),
        "plan": hashlib.sha256(repr(parts).encode()).hexdigest(),
    }


def _asked(ray: Any, function: Any, *arguments: Any) -> Any:
    """Return what a function returns on one of the cluster's machines; raises our own errors."""
    return _settled(ray.get(ray.remote(_guarded).remote(function, *arguments)))


def _surveyed(ray: Any, files: Sequence[InputFile], options: ReadOptions) -> list[FileFacts]:
    task = ray.remote(_guarded)
    return [_settled(found) for found in ray.get([task.remote(survey, file, options) for file in files])]


def _guarded(function: Any, *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except SimilError as exc:
        return exc


def _settled(found: Any) -> Any:
    if isinstance(found, SimilError):
        raise found
    return found


def _probe(settings: Settings, wanted: EmbedOptions) -> _FoundModel:
    here = settings_here(settings)
    embedder = open_embedder(here, dimensions=wanted.dimensions, normalize=wanted.normalize)
    try:
        return _FoundModel(embedder.stamp, wanted.dimensions or embedder.dimensions)
    finally:
        embedder.close()


def _columns(parts: Sequence[Part], options: ReadOptions, several: bool, dimensions: int) -> DecidedColumns:
    """Return the columns of the output: the first rows decide them, as in one process."""
    from simil.formats.arrow_rows import FieldColumns
    from simil.vectors.vector_columns import DecidedColumns

    slices = list(chain.from_iterable(part.slices for part in parts))
    texts = chain.from_iterable(
        slice_texts(
            one,
            options,
            several=several,
            on_blank=lambda place: None,
            on_error=lambda error: None,
            keeps_failed=False,
        )
        for one in slices
    )
    rows = [text.fields for text in islice(texts, _SAMPLE)]
    return DecidedColumns(FieldColumns("parquet", rows, _types(slices, options), ()), dimensions)


def _types(slices: Sequence[FileSlice], options: ReadOptions) -> dict[str, Any]:
    """Return the types of columns in which all files agree, if all have types."""
    from simil.formats.columnar import column_types

    if not all(one.form in ("parquet", "arrow") for one in slices):
        return {}
    files = list(dict.fromkeys(one.file for one in slices))
    types = [column_types(InputSource(file, text_limit=options.text_limit)) for file in files]
    return {
        name: form
        for found in types
        for name, form in found.items()
        if all(others.get(name, form) == form for others in types)
    }

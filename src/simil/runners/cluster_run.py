"""Embeds files on a cluster: looks at them, plans parts, and has actors embed those that are left."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from simil._version import __version__
from simil.config import Settings
from simil.errors import InputError, Place
from simil.formats.lance_paths import has_lance_suffix
from simil.formats.remote_paths import is_remote
from simil.progress import Advance
from simil.runners.cluster_tasks import ClusterTasks, FoundModel
from simil.runners.input_source import InputFile
from simil.runners.job import EmbedJob, PartReport
from simil.runners.part_embedder import PartEmbedder
from simil.runners.part_manifest import PartManifest
from simil.runners.part_writer import commit_run, is_made_by, missing_parts, remove_drafts
from simil.runners.parts import Part, part_rows, plan_parts
from simil.runners.ray_cluster import ActorPool, NodeSize, choose_pool, node_sizes
from simil.runners.survey import FileFacts
from simil.runners.text_progress import TextCounter, passed_on
from simil.runners.worker_settings import WorkerEnvironment, travelling_settings
from simil.tasks.embedding import EmbedOptions
from simil.texts import ReadOptions
from simil.vectors.dataset_locks import being_written

__all__ = ["ClusterRequest", "ClusterRun", "prepare"]


@dataclass(frozen=True, slots=True)
class ClusterRequest:
    """What the user asks for.

    Attributes:
        sources: the files of each source, as `list_inputs` gives them.
        settings: those of the run.
        reading: how the texts are read.
        wanted: how vectors are wanted.
        on_error: what happens to texts that fail: "fail", "skip" or "null".
        output: a folder, a Lance dataset, or an address of either.
        actors: how many actors; None for as many as fit.
        cores_per_actor: how many cores each has; None for what suits the nodes.
    """

    sources: Sequence[Sequence[InputFile]]
    settings: Settings
    reading: ReadOptions
    wanted: EmbedOptions
    on_error: str
    output: str
    actors: int | None = None
    cores_per_actor: int | None = None


def prepare(ray: Any, request: ClusterRequest) -> ClusterRun:
    """Look at the input, the model and the cluster, and plan the parts.

    Raises `UsageError`, `InputError` and `ModelError` for what cannot be done.
    """
    sources = request.sources
    files = [*chain.from_iterable(sources)]
    nodes = node_sizes(ray)
    pool = choose_pool(
        nodes,
        actors=request.actors,
        cores_per_actor=request.cores_per_actor or request.settings.threads or None,
        uses_gpus=request.settings.device.kind != "cpu",
    )
    settings = travelling_settings(request.settings, pool)
    environment = WorkerEnvironment([request.output, *(file.path for file in files)], settings)
    tasks = ClusterTasks(ray, environment)
    facts = tasks.survey(files, request.reading)
    request.reading.check_for({one.form for one in facts})
    model = tasks.model(settings, request.wanted)
    parts = _planned(sources, facts, model)
    job = EmbedJob(
        settings.replaced(model=settings.model or model.name),
        request.reading,
        request.wanted,
        request.on_error,
        len(sources) > 1,
        request.output,
        model.stamp,
        tasks.columns(
            [*chain.from_iterable(part.slices for part in parts)],
            request.reading,
            "lance" if has_lance_suffix(request.output) else "parquet",
            model.dimensions,
        ),
    )
    manifest = PartManifest(request.output, _plan_of(files, job, parts))
    return ClusterRun(ray, job, environment, nodes, pool, parts, manifest)


class ClusterRun:
    """A run that is planned.

    Attributes:
        job: how parts are embedded.
        nodes: what each node of the cluster has.
        pool: the actors that embed.
        parts: all parts.
        left: those that are not done.
        done: the reports of those that earlier runs have done.
        is_complete: whether an earlier run has done everything.
    """

    def __init__(
        self,
        ray: Any,
        job: EmbedJob,
        environment: WorkerEnvironment,
        nodes: Sequence[NodeSize],
        pool: ActorPool,
        parts: Sequence[Part],
        manifest: PartManifest,
    ) -> None:
        """Take the plan; nothing is written yet."""
        self.job = job
        self.nodes = nodes
        self.parts = parts
        reports = [PartReport.of(line) for _, line in sorted(manifest.done.items())]
        is_dataset = has_lance_suffix(job.output)
        # An index may have been built since, which moves rows into other files.
        self._is_committed = (
            is_dataset and len(reports) == len(parts) and is_made_by(job.output, manifest.run)
        )
        # What somebody has removed since is embedded again.
        missing = missing_parts(job.output, parts, reports) if reports and not self._is_committed else set()
        if job.on_error == "fail":  # What an earlier run left out is an error of this one.
            missing |= {report.number for report in reports if report.lost}
        self.done = [report for report in reports if report.number not in missing]
        done = {report.number for report in self.done}
        self.left = [part for part in parts if part.number not in done]
        self._is_committed = self._is_committed and not self.left
        self.is_complete = manifest.is_complete and not self.left and (self._is_committed or not is_dataset)
        self.pool = replace(pool, actors=min(pool.actors, max(len(self.left), 1)))
        self._ray = ray
        self._environment = environment
        self._manifest = manifest

    def embed(self, advance: Advance | None = None) -> Iterator[PartReport]:
        """Embed the parts that are left, and yield the report of each when it is written.

        `advance` is called with numbers of texts while they are embedded. Raises the error that ends a part.
        """
        if self.is_complete:
            return
        self._manifest.begin()
        with being_written(self.job.output) if self._is_lance else nullcontext():
            for report in self._reports(advance) if self.left else ():
                if report.error is not None:
                    raise report.error
                self._check_visible(report)
                self._manifest.add(report)
                yield report
            self._finish()
        self._manifest.complete()

    @property
    def _is_lance(self) -> bool:
        return has_lance_suffix(self.job.output)

    def _reports(self, advance: Advance | None) -> Iterator[PartReport]:
        data = self._ray.data
        context = data.DataContext.get_current()
        context.enable_progress_bars = False
        context.print_on_execution_start = False
        counter = None if advance is None else self._ray.remote(num_cpus=0)(TextCounter).remote()
        rows = [{"part": pickle.dumps(part)} for part in self.left]
        done = data.from_items(rows, override_num_blocks=len(rows)).map_batches(
            PartEmbedder,
            batch_size=1,
            fn_constructor_args=(self.job, self._environment, counter),
            compute=data.ActorPoolStrategy(size=self.pool.actors, max_tasks_in_flight_per_actor=2),
            num_cpus=self.pool.cores,
            num_gpus=self.pool.gpus or None,
        )
        # Ray would hold each report back until it has the next one, and a part whose report is not written
        # down would be embedded again.
        batches = done.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0)
        with nullcontext() if advance is None else passed_on(self._ray, counter, advance):
            for batch in batches:
                yield from map(pickle.loads, batch["report"].to_pylist())

    def _check_visible(self, report: PartReport) -> None:
        """Raise `InputError` for a part that only the worker can see, on a disk of its own."""
        part = next(part for part in self.parts if part.number == report.number)
        if self._is_lance or is_remote(self.job.output) or Path(self.job.output, part.name).exists():
            return
        raise InputError(
            f"{part.name} was written by {report.worker}, and is not there",
            hint="name a folder that all machines share, or an address",
            place=Place(self.job.output),
        )

    def _finish(self) -> None:
        if not self._is_lance:
            remove_drafts(self.job.output)
            return
        if not self._is_committed:
            reports = [PartReport.of(line) for _, line in sorted(self._manifest.done.items())]
            commit_run(self.job, self._manifest.run, reports)


def _planned(
    sources: Sequence[Sequence[InputFile]], facts: Sequence[FileFacts], model: FoundModel
) -> list[Part]:
    """Return the parts of the files of all sources; the rows of a folder are numbered through its files."""
    found = iter(facts)
    numbered: list[tuple[InputFile, FileFacts, int]] = []
    for source in sources:
        before = 0
        for file in source:
            one = next(found)
            numbered.append((file, one, before))
            before += one.rows
    return plan_parts(numbered, part_rows(sum(one.rows for one in facts), model.dimensions))


def _plan_of(files: Sequence[InputFile], job: EmbedJob, parts: Sequence[Part]) -> Mapping[str, Any]:
    """Return what has to be the same for a run to go on with another."""
    model, _, revision = job.stamp.rpartition("@")
    reading = {name: value for name, value in asdict(job.reading).items() if value not in (None, (), False)}
    settings = {"overflow": job.settings.overflow, "precision": job.settings.precision}
    wanted = {name: value for name, value in job.wanted.by_name().items() if value != ()}
    options = {**reading, **wanted, **settings}
    # A part in which no text failed is the same whether another one would end the run or be left out.
    if job.on_error == "null":
        options["on_error"] = job.on_error
    return {
        "simil": __version__,
        "model": model or revision,
        "revision": revision if model else "",
        "options": options,
        "inputs": [[file.name, file.size, file.state] for file in files],
        "parts": len(parts),
        "plan": hashlib.sha256(repr(parts).encode()).hexdigest(),
    }

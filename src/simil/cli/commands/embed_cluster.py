"""`simil embed --on ray`: the same vectors, made by many machines."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from simil.cli.options.values import check_choice
from simil.cli.output.progress_bar import terminal_progress
from simil.errors import UsageError
from simil.formats.lance_library import lance
from simil.formats.lance_paths import has_lance_suffix
from simil.formats.registry import suffix_format
from simil.formats.remote_paths import address_of, check_online, is_remote
from simil.progress import silent

if TYPE_CHECKING:
    from simil.cli.options.groups import ClusterFlags
    from simil.cli.options.run import SessionRun
    from simil.runners.cluster_run import ClusterRun
    from simil.runners.job import PartReport
    from simil.tasks.embedding import EmbedOptions
    from simil.texts import ReadOptions

__all__ = ["embed_on_cluster"]

log = logging.getLogger("simil")


def embed_on_cluster(
    run: SessionRun,
    flags: ClusterFlags,
    files: Sequence[str],
    reading: ReadOptions,
    wanted: EmbedOptions,
    output: Path | None,
    beside: Mapping[str, object],
    *,
    dry_run: bool,
) -> None:
    """Embed `files` on a cluster, into a folder of Parquet files or a Lance dataset.

    `beside` are options of one process by their names; one that is given raises `UsageError`.
    """
    from simil.cli.commands.embed_cluster_view import show_plan
    from simil.runners.cluster_run import ClusterRequest, prepare
    from simil.runners.input_files import list_inputs
    from simil.runners.ray_cluster import connected

    address = flags.on or ""
    if address != "ray" and not address.startswith("ray://"):
        check_choice("--on", address, ("ray", "ray://HOST:PORT"))
    for option, value in beside.items():
        if value:
            raise UsageError(f"{option} cannot be combined with --on ray", hint="leave out one of them")
    reading.check_field()
    target = _target(output, offline=run.settings.offline)
    on_error = run.notes.policy
    # What can be refused is refused before Ray starts.
    if has_lance_suffix(target):
        lance()
    sources = list_inputs(files)
    request = ClusterRequest(
        sources, run.settings, reading, wanted, on_error, target, flags.actors, flags.cores_per_actor
    )
    with connected(address, run.settings.offline) as ray:
        planned = prepare(ray, request)
        if dry_run:
            show_plan(planned)
        else:
            _embed(run, planned)


def _target(output: Path | None, *, offline: str) -> str:
    """Return the path or address of the folder to write to; raises `UsageError` for that of a file."""
    folder = "name a folder, as in -o vectors/, or a dataset, as in -o vectors.lance"
    if output is None:
        raise UsageError("--on ray writes several files", hint=folder)
    target = address_of(output)
    if not has_lance_suffix(target) and suffix_format(target) is not None and not output.is_dir():
        raise UsageError(f"--on ray writes several files, not one {output.suffix}", hint=folder)
    check_online(target, offline=offline)
    return target if is_remote(target) else str(output.absolute())


def _embed(run: SessionRun, planned: ClusterRun) -> None:
    """Embed what is left, and print how fast it was, and what the texts were like."""
    from simil.cli.commands.embed_cluster_view import note_rates

    if planned.is_complete:
        log.warning("%s is complete: nothing is left to embed", planned.job.output)
    elif planned.done:
        log.warning("%d of %d parts are done: going on", len(planned.done), len(planned.parts))
    began = time.monotonic()
    reports: list[PartReport] = []
    progress = terminal_progress(quiet=run.quiet)
    total = sum(part.rows for part in planned.left)
    with progress("embedding", total=total, unit="texts") as advance:
        for report in planned.embed(None if progress is silent else advance):
            reports.append(report)
            for error in report.failed:
                log.error("%s", error)
            if progress is silent:
                log.info("part %d: %d texts, %.1f s on %s", *_told(report))
    if reports:
        note_rates(reports, time.monotonic() - began)
    for report in sorted([*planned.done, *reports], key=lambda report: report.number):
        run.notes.count(planned.job.stamp, **report.noted())


def _told(report: PartReport) -> tuple[int, int, float, str]:
    return report.number, report.rows, report.seconds, report.worker

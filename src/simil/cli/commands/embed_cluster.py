"""`simil embed --on ray`: the same vectors, made by many machines."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from simil.cli.options.values import check_choice
from simil.cli.output.progress_bar import terminal_progress
from simil.errors import UsageError

if TYPE_CHECKING:
    from simil.cli.options.run import SessionRun
    from simil.runners.cluster_run import ClusterRun
    from simil.tasks.embedding import EmbedOptions
    from simil.texts import ReadOptions

__all__ = ["embed_on_cluster"]

log = logging.getLogger("simil")


def embed_on_cluster(
    run: SessionRun,
    address: str,
    files: Sequence[str],
    reading: ReadOptions,
    wanted: EmbedOptions,
    on_error: str,
    output: Path | None,
    *,
    actors: int | None,
    cores_per_actor: int | None,
    dry_run: bool,
) -> None:
    """Embed `files` on the cluster at `address`, into a folder of Parquet files."""
    from simil.runners.cluster_run import ClusterRequest, prepare
    from simil.runners.ray_cluster import connected

    if address != "ray" and not address.startswith("ray://"):
        check_choice("--on", address, ("ray", "ray://HOST:PORT"))
    if output is None:
        raise UsageError("--on ray writes several files", hint="name a folder: -o vectors/")
    if output.suffix and not output.is_dir():
        raise UsageError(
            f"--on ray writes several files, not one {output.suffix}", hint="name a folder: -o vectors/"
        )
    request = ClusterRequest(
        files, run.settings, reading, wanted, on_error, str(output.absolute()), actors, cores_per_actor
    )
    began = time.monotonic()
    with connected(address) as ray:
        planned = prepare(ray, request)
        if dry_run:
            return
        _embed(run, planned)
    log.info("%.1f s", time.monotonic() - began)


def _embed(run: SessionRun, planned: ClusterRun) -> None:
    total = sum(part.rows for part in planned.left)
    progress = terminal_progress(quiet=run.quiet)
    with progress("embedding", total=total, unit="texts") as advance:
        for report in planned.embed():
            for error in report.failed:
                if run.notes.on_error is not None:
                    run.notes.on_error(error)
            advance(report.rows)

"""Shows the plan of a run on a cluster, and how fast it was."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from simil.cli.output.notes import dollars
from simil.cli.output.output_file import is_terminal
from simil.data_stream import stdout

if TYPE_CHECKING:
    from simil.runners.cluster_run import ClusterRun
    from simil.runners.job import PartReport

__all__ = ["note_rates", "show_plan"]

log = logging.getLogger("simil")


def show_plan(planned: ClusterRun) -> None:
    """Print one line per figure: what is embedded, in how many parts, and by which actors."""
    pool = planned.pool
    files = {one.file for part in planned.parts for one in part.slices}
    cores = sum(node.cpus for node in planned.nodes)
    gpus = sum(node.gpus for node in planned.nodes)
    lines = [
        ("model", planned.job.stamp),
        ("output", planned.job.output),
        ("files", f"{len(files):,}"),
        ("rows", f"{sum(part.rows for part in planned.parts):,}"),
        ("parts", f"{len(planned.parts):,}"),
        ("parts done", f"{len(planned.parts) - len(planned.left):,}"),
        ("nodes", f"{len(planned.nodes):,} with {cores:g} cores and {gpus:g} GPUs"),
        ("actors", f"{pool.actors:,} with {pool.cores} cores{' and a GPU' if pool.gpus else ''} each"),
    ]
    width = max(len(name) for name, _ in lines) + 2
    for name, value in lines:
        stdout().write(f"{name:<{width}}{value}\n" if is_terminal() else f"{name}\t{value}\n")


def note_rates(reports: Sequence[PartReport], seconds: float) -> None:
    """Print how many texts were embedded and how fast, what they cost, and with -v the rate of each actor."""
    texts = sum(report.rows for report in reports)
    parts = [f"{texts:,} texts", f"{seconds:.1f} s", f"{texts / max(seconds, 1e-9):,.0f} texts/s"]
    if any(report.requests for report in reports):
        parts += [f"{sum(report.tokens for report in reports):,} tokens", _cost(reports)]
    log.warning("%s", ", ".join(filter(None, parts)))
    workers: dict[str, list[PartReport]] = defaultdict(list)
    for report in reports:
        workers[report.worker].append(report)
    for worker, own in sorted(workers.items()):
        count, took = sum(report.rows for report in own), sum(report.seconds for report in own)
        log.info(
            "%s: %s texts in %d parts, %.0f texts/s", worker, f"{count:,}", len(own), count / max(took, 1e-9)
        )


def _cost(reports: Sequence[PartReport]) -> str:
    costs = [report.cost for report in reports]
    return "" if None in costs else dollars(sum(cost or 0 for cost in costs))

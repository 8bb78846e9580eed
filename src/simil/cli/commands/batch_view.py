"""Shows batches at a server, and what a job has come to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from simil.cli.output.cells import visible

if TYPE_CHECKING:
    from simil.embedders.openai.batch_api.batch_client import BatchStatus
    from simil.embedders.openai.batch_api.batch_job import BatchCounts

__all__ = ["batches_json", "batches_text", "counts_text"]


def batches_text(found: Sequence[BatchStatus]) -> str:
    """Return a line for each batch: its id, its state, and its requests: done, failed, all."""
    return "".join(
        f"{visible(each.id)}\t{visible(each.status)}\t{each.done}\t{each.failed}\t{each.total}\n"
        for each in found
    )


def batches_json(found: Sequence[BatchStatus]) -> str:
    """Return the batches as one JSON object."""
    import orjson

    rows: list[dict[str, Any]] = [
        {
            "id": each.id,
            "status": each.status,
            "done": each.done,
            "failed": each.failed,
            "requests": each.total,
            "metadata": dict(each.metadata),
        }
        for each in found
    ]
    return f"{orjson.dumps({'data': rows}, option=orjson.OPT_INDENT_2).decode()}\n"


def counts_text(counts: BatchCounts) -> str:
    """Return a line that says how many batches are over, and how many vectors came from them."""
    what = "batch" if counts.batches == 1 else "batches"
    return (
        f"{counts.over} of {counts.batches} {what} over; {counts.collected:,} vectors taken into the cache\n"
    )

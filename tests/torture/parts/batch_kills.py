"""A job of the Batch API is killed while it uploads, waits and collects: each input is paid for once.

120,000 texts in three batches, of which one expires half done; 3 % of the lines fail. What got no answer is
refunded and asked for again, and the output is that of a direct run.
"""

from __future__ import annotations

import random

from support.killed_batches import killed_job

from torture.report import Part, Task

__all__ = ["PART"]

_TEXTS, _KILLS = 120_000, 20


def _run(task: Task) -> None:
    rng = random.Random(task.seed)
    done = killed_job(task.folder, task.times(_TEXTS, least=2500), kills=task.times(_KILLS, least=5), rng=rng)
    task.report.count("kills", done.kills.total())
    for moment, times in done.kills.items():
        task.report.count(f"batch runs killed: {moment}", times)
    for status, times in done.batches.items():
        task.report.count(f"batches {status}", times)
    task.report.count("inputs of batches refunded", done.refunds)
    for what in done.wrong:
        task.report.found("wrong", what)


PART = Part("batch_kills", _run)

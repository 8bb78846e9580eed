"""The limits of the machine, which the other figures are compared with."""

from __future__ import annotations

from functools import partial

from bench import Bench, Suite
from measure import by_turns
from report import Row, Value

__all__ = ["SUITES"]


def limits(bench: Bench) -> list[Row]:
    """The best speed within a second of NumPy's matrix product and of a copy in memory."""
    with bench.worker("limits_side.py") as worker:
        taken = by_turns(
            {what: partial(worker.ask, what) for what in ("sgemm", "copy")}, bench.repeat, warm=False
        )
    return [
        Value(
            "float32 matrix product (sgemm)", "GFLOP/s", taken["sgemm"], note="[1024, 1024] x [1024, 4096]"
        ),
        Value("copy in memory", "GB/s", taken["copy"], note="256 MB, read and written bytes counted"),
    ]


SUITES = {
    "limits": Suite(
        "Limits of the machine",
        "Bare numpy, in a process of its own. A share of sgemm is one of what was measured anew between "
        "the two sides.",
        limits,
        pinned=True,
    )
}

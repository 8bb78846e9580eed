"""The limits of the machine, which the other figures are compared with."""

from __future__ import annotations

from bench import Bench, Suite
from report import Row, Value

__all__ = ["SUITES"]


def limits(bench: Bench) -> list[Row]:
    """The best speed within a second of NumPy's matrix product and of a copy in memory."""
    with bench.worker("limits_side.py") as worker:
        gflops = [worker.ask("sgemm") for _ in range(bench.repeat)]
        gigabytes = [worker.ask("copy") for _ in range(bench.repeat)]
    return [
        Value("float32 matrix product (sgemm)", "GFLOP/s", gflops, note="[1024, 1024] x [1024, 4096]"),
        Value("copy in memory", "GB/s", gigabytes, note="256 MB, read and written bytes counted"),
    ]


SUITES = {
    "limits": Suite(
        "Limits of the machine",
        "Bare numpy, in a process of its own. Where a share of sgemm is told, it was measured anew between "
        "the two sides.",
        limits,
    )
}

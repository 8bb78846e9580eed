"""Answers how fast NumPy's matrix product and copy are on this machine; see `workers`."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from workers import serve

__all__ = ["copy_gigabytes", "sgemm_gflops"]

_COPIED = 256 << 20


def sgemm_gflops(seconds: float = 1.0) -> float:
    """Return the best float32 GFLOP/s of [1024, 1024] x [1024, 4096] within some seconds."""
    random = np.random.default_rng(0)
    left = random.standard_normal((1024, 1024), np.float32)
    right = random.standard_normal((1024, 4096), np.float32)
    product = left @ right
    return 2 * 1024 * 1024 * 4096 / _best(lambda: np.matmul(left, right, out=product), seconds) / 1e9


def copy_gigabytes(seconds: float = 1.0) -> float:
    """Return the best GB/s, read and written, of copying an array larger than any cache."""
    source = np.ones(_COPIED // 4, np.float32)
    target = np.empty_like(source)
    return 2 * _COPIED / _best(lambda: np.copyto(target, source), seconds) / 1e9


def _best(work: Callable[[], object], seconds: float) -> float:
    work()
    best = float("inf")
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        began = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - began)
    return best


if __name__ == "__main__":
    serve({"sgemm": sgemm_gflops, "copy": copy_gigabytes})

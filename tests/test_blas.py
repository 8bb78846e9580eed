"""The command starts with one thread for matrix products, and takes the others when there is work."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

_PROGRAM = """
import json, os
from simil import blas
blas.start_with_one_thread()
import numpy
from threadpoolctl import threadpool_info
def threads():
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
seen = [threads()]
blas.use_all_cores(1000)
seen.append(threads())
blas.use_all_cores(10**10)
seen.append(threads())
print(json.dumps([seen, os.environ.get("OPENBLAS_NUM_THREADS")]))
"""


def _run(**environment: str) -> tuple[list[list[int]], str | None]:
    env = {key: value for key, value in os.environ.items() if not key.endswith("_NUM_THREADS")}
    printed = subprocess.run(
        [sys.executable, "-c", _PROGRAM], env=env | environment, capture_output=True, text=True, check=True
    ).stdout
    seen, left = json.loads(printed)
    return seen, left


def test_one_thread_until_a_product_is_worth_more() -> None:
    cores = len(os.sched_getaffinity(0))
    assert _run() == ([[1], [1], [cores]], None)


@pytest.mark.parametrize("threads", ["1", "2"])
def test_what_the_user_has_set_stays(threads: str) -> None:
    assert _run(OPENBLAS_NUM_THREADS=threads) == ([[int(threads)]] * 3, threads)

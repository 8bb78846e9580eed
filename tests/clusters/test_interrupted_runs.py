"""Runs that lose a worker, a node or their driver: no row is lost or doubled, and no part is embedded twice.

The embedder waits at a gate, so that every run is interrupted where one part is done and others are not.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.command import SIMIL, Result, simil
from support.embedded_tables import assert_identical, manifest_of, parts_of, table_of
from support.gated_plugin import Gate
from support.ray_clusters import RayCluster

from simil.runners.parts import part_rows

_ROWS = part_rows(1, 8)  # of a part
_PARTS = 5
_MODEL = ("-m", "plugin:gated", "--no-cache")


class Job:
    """An input with a gate in each part, and what one process makes of it."""

    def __init__(self, folder: Path, output: str = "vectors") -> None:
        self.gate = Gate(folder / "gate")
        self.input = folder / "texts.parquet"
        self.output = folder / output
        texts = [f"text number {number}" for number in range(_ROWS * _PARTS - 7)]
        texts[::_ROWS] = [self.gate.text] * _PARTS
        ids = [f"id{number:07}" for number in range(len(texts))]
        pq.write_table(pa.table({"id": ids, "text": texts, "rank": range(len(texts))}), self.input)

    @property
    def arguments(self) -> list[str]:
        return ["embed", *_MODEL, str(self.input), "-o", str(self.output), "--on", "ray"]

    def expected(self, folder: Path) -> pa.Table:
        """What one process writes; the gate must be open."""
        path = folder / "expected.parquet"
        assert simil("embed", *_MODEL, str(self.input), "-o", str(path)).code == 0
        return pq.read_table(path)

    @contextmanager
    def stopped(self) -> Iterator[subprocess.Popen[str]]:
        """Start a run, and yield it when one part is done and the two actors stand at the gate."""
        done = len(parts_in(self.output))
        self.gate.let_pass(1)
        with subprocess.Popen([*SIMIL, *self.arguments], stderr=subprocess.PIPE, text=True) as driver:
            try:
                self.gate.wait_for(2)
                wait_for_parts(self.output, done + 1)
                yield driver
            finally:
                driver.kill()


def parts_in(output: Path) -> list[int]:
    """Return the numbers of the parts that the manifest names."""
    return [line["part"] for line in manifest_of(output) if "part" in line]


def wait_for_parts(output: Path, count: int) -> None:
    """Wait until the manifest names so many parts."""
    end = time.monotonic() + 90
    while len(parts_in(output)) < count:
        assert time.monotonic() < end, manifest_of(output)
        time.sleep(0.01)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path)


def stamps(job: Job) -> dict[str, tuple[int, int]]:
    """Which files there are, as they were written."""
    return {part.name: (part.stat().st_ino, part.stat().st_mtime_ns) for part in parts_of(job.output)}


def assert_whole(job: Job, tmp_path: Path) -> None:
    """Fail unless the output is that of one process, with each part counted once, and nothing else."""
    assert_identical(table_of(job.output), job.expected(tmp_path))
    assert sorted(parts_in(job.output)) == [*range(_PARTS)]
    assert manifest_of(job.output)[-1]["complete"]
    assert {path.name for path in job.output.iterdir()} == {"_simil.jsonl", *stamps(job)}


def test_a_killed_worker_loses_and_doubles_no_row_of_a_dataset(cluster: RayCluster, tmp_path: Path) -> None:
    job = Job(tmp_path, "vectors.lance")
    with job.stopped() as driver:
        killed = job.gate.waiting()[0]
        os.kill(killed, signal.SIGKILL)
        job.gate.open()
        said = driver.communicate(timeout=90)[1]

    assert driver.returncode == 0, said
    expected = job.expected(tmp_path)
    names = ["id", "text", "rank", "embedding"]
    assert table_of(job.output).select(names).to_pydict() == expected.select(names).to_pydict()
    assert sorted(parts_in(job.output)) == [*range(_PARTS)]


def test_a_lost_node_loses_and_doubles_no_row(job: Job, cluster: RayCluster, tmp_path: Path) -> None:
    with job.stopped() as driver:
        cluster.remove_node(cluster.nodes[1])
        job.gate.open()
        said = driver.communicate(timeout=90)[1]
    cluster.add_node(1)

    assert driver.returncode == 0, said
    assert_whole(job, tmp_path)


def test_a_run_goes_on_after_ctrl_c_and_after_a_kill(job: Job, cluster: RayCluster, tmp_path: Path) -> None:
    with job.stopped() as driver:
        driver.send_signal(signal.SIGINT)
        said = driver.communicate(timeout=90)[1]
    assert driver.returncode == 130, said
    assert "Traceback" not in said
    job.gate.wait_until_gone()
    done = stamps(job)
    assert len(done) == 1

    with job.stopped() as driver:
        driver.kill()
    job.gate.wait_until_gone()
    assert len(stamps(job)) == 2
    assert stamps(job).items() >= done.items()
    done = stamps(job)

    job.gate.open()
    last = simil(*job.arguments)

    assert last.code == 0, last.err
    assert_whole(job, tmp_path)
    assert stamps(job).items() >= done.items()

    before = stamps(job)
    again: Result = simil(*job.arguments)
    assert again.code == 0, again.err
    assert stamps(job) == before

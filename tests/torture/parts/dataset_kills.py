"""Appending to a Lance dataset is killed at any moment: it holds the old rows or the new ones.

10,000 rows are added and 1,000 replaced. What a killed run has left does no harm to the next one, which ends
in the new state, and is removed when nobody writes.
"""

from __future__ import annotations

import random
import time
from datetime import timedelta
from pathlib import Path

import lance
from support.killed_appends import AppendedDataset

from simil.index.index_building import optimize
from simil.vectors.stored_vectors import StoredVectors
from torture.report import Part, Task

__all__ = ["PART"]

_ROWS, _ADDED, _REPLACED = 20_000, 10_000, 1_000


def _run(task: Task) -> None:
    rng = random.Random(task.seed)
    size = 1 if task.scale > 0.01 else 0.02
    rows, added, replaced = (round(count * size) for count in (_ROWS, _ADDED, _REPLACED))
    dataset = AppendedDataset.made(task.folder / "dataset", rows=rows, added=added, replaced=replaced)
    seconds = _seconds_of_writing(dataset)
    for _ in range(task.times(20)):
        _kill(task, dataset, delay=rng.uniform(0.001, 1.05) * seconds)
    _check_leftovers(task, dataset)


def _seconds_of_writing(dataset: AppendedDataset) -> float:
    """Return how long an append takes from its first file on."""
    watch = _Watch(dataset)
    dataset.kill_append(lambda: watch.seconds() < 0)
    return watch.seconds()


class _Watch:
    """Says for how long an append has been writing."""

    def __init__(self, dataset: AppendedDataset) -> None:
        self._dataset = dataset
        self._before = dataset.files("data")
        self._began: float | None = None

    def seconds(self) -> float:
        """Return the seconds since the first new file was there; 0 before."""
        if self._began is None and self._dataset.files("data") > self._before:
            self._began = time.monotonic()
        return 0 if self._began is None else time.monotonic() - self._began


def _kill(task: Task, dataset: AppendedDataset, delay: float) -> None:
    """Kill one run, and let another one end; then bring the old state back."""
    case = f"append killed after it had written for {delay:.3f} s"
    dataset.reset()
    before = dataset.files("data")
    watch = _Watch(dataset)
    dataset.kill_append(lambda: watch.seconds() >= delay > 0)
    task.report.count("kills")
    found = dataset.state()
    if found not in (dataset.old, dataset.new):
        task.report.found("wrong", f"{case}: {len(found)} rows, neither the old ones nor the new ones")
    task.report.count(
        "appends killed: the new state" if found == dataset.new else "appends killed: the old state"
    )
    if found == dataset.old and dataset.files("data") != before:
        task.report.count("appends killed: with files that are not committed")
    dataset.append()
    if dataset.state() != dataset.new:
        task.report.found("lost", f"after {case}: another append does not end in the new state")


def _check_leftovers(task: Task, dataset: AppendedDataset) -> None:
    """Check that what is left can be removed, and that nothing else goes with it."""
    done = optimize(StoredVectors.open(str(dataset.path)), kept_for=timedelta(0))
    task.report.count("bytes of leftovers and old versions removed", done.freed)
    tracked = {
        Path(path).name for path in lance.dataset(dataset.path).tracked_files().read_all()["path"].to_pylist()
    }
    if left := dataset.files("data") - tracked:
        task.report.found("lost", f"files that no version has are left: {left}")
    if dataset.state() != dataset.new:
        task.report.found("lost", "the removal of leftovers has removed rows")


PART = Part("dataset_kills", _run)

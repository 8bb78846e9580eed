"""An append that is killed at each of its steps leaves the old rows or the new ones.

`make torture` kills more of them, at any moment.
"""

from __future__ import annotations

from pathlib import Path

from support.killed_appends import AppendedDataset

# What an append writes, step by step: the last one makes it visible.
_STEPS = ("data", "_deletions", "_transactions", "_versions")


def test_an_append_that_is_killed(tmp_path: Path) -> None:
    dataset = AppendedDataset.made(tmp_path, rows=3000, added=2000, replaced=200)
    for step in _STEPS:
        dataset.reset()
        before = dataset.files(step)
        dataset.kill_append(lambda step=step, before=before: dataset.files(step) > before)  # type: ignore[misc]
        assert dataset.state() in (dataset.old, dataset.new), step
    dataset.reset()
    dataset.append()
    assert dataset.state() == dataset.new

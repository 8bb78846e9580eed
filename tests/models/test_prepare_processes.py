"""Several processes, and one that is killed, leave only complete models."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np

from models.conftest import PROGRAM, Started, outcome, prepared_folders

# Like `PROGRAM`, but saving the graph takes as long as for a large model.
_SLOW = """
import time
import onnxruntime
whole = onnxruntime.InferenceSession

def slow(*given, **named):
    session = whole(*given, **named)
    print("saved", flush=True)
    time.sleep(60)
    return session

onnxruntime.InferenceSession = slow
"""


def test_two_at_the_same_time_prepare_one_copy(cache: Path, start: Started, folder: Path) -> None:
    results = [outcome(process) for process in [start(folder), start(folder)]]

    assert len(prepared_folders(cache)) == 1
    assert all(result["optimized"] for result in results)
    np.testing.assert_array_equal(results[0]["vectors"], results[1]["vectors"])


def test_a_killed_one_leaves_nothing_that_the_next_takes_for_whole(
    cache: Path, start: Started, folder: Path
) -> None:
    killed = start(folder, _SLOW + PROGRAM)
    assert killed.stdout is not None
    assert killed.stdout.readline() == "saved\n"
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate()
    (unfinished,) = prepared_folders(cache)
    assert unfinished.name.startswith(".new-")
    assert (unfinished / "model.onnx").is_file()

    result = outcome(start(folder))
    assert result["optimized"] is True
    (finished,) = prepared_folders(cache)
    assert finished != unfinished


def test_one_killed_while_it_writes_harms_nothing(cache: Path, start: Started) -> None:
    for delay in (0, 0.05, 0.15):
        process = start("minilm")
        while process.poll() is None and not _unfinished(cache):
            time.sleep(0.001)
        time.sleep(delay)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()

    assert outcome(start("minilm"))["optimized"] is True
    (finished,) = prepared_folders(cache)
    assert finished.name.startswith("all-MiniLM-L6-v2-")


def _unfinished(cache: Path) -> list[Path]:
    return list((cache / "prepared").glob(".new-*"))

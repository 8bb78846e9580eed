"""`simil embed --append`, killed while it writes: what a Lance dataset holds then is one of two states."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import lance
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from simil.vectors import VectorBatch
from simil.vectors.lance_form import open_lance_writer
from support.command import SIMIL

__all__ = ["AppendedDataset", "State"]

# The text and the bytes of the vector of each id.
State = Mapping[str, tuple[str, bytes]]

_WIDTH = 64
_APPEND = ("embed", "-q", "--append", "further.parquet", "-o", "x.lance")
_LIMIT_S = 60


@dataclass(frozen=True)
class AppendedDataset:
    """A dataset, and rows that are appended to it: some take the place of rows, the others are new."""

    folder: Path
    old: State
    new: State

    @classmethod
    def made(cls, folder: Path, *, rows: int, added: int, replaced: int) -> AppendedDataset:
        """Write the dataset with so many rows, and the file of those that are appended."""
        folder.mkdir(parents=True, exist_ok=True)
        old = _state(range(rows), "old", seed=1)
        further = _state(range(rows - replaced, rows + added), "new", seed=2)
        _write(folder / "further.parquet", further)
        made = cls(folder, old, {**old, **further})
        with open_lance_writer(str(made.path), None) as writer:
            texts = [text for text, _ in old.values()]
            writer.write(VectorBatch([*old], texts, [{}] * len(old), _vectors(old)))
        return made

    @property
    def path(self) -> Path:
        """The dataset."""
        return self.folder / "x.lance"

    def state(self) -> State:
        """What the dataset holds; fails where an id is there twice."""
        table = lance.dataset(self.path).to_table(columns=["id", "text", "embedding"])
        vectors = np.vstack(table["embedding"].combine_chunks().to_numpy(zero_copy_only=False))
        rows = zip(table["text"].to_pylist(), map(bytes, vectors.astype(np.float32)), strict=True)
        found = dict(zip(table["id"].to_pylist(), rows, strict=True))
        assert len(found) == table.num_rows, "an id is there twice"
        return found

    def reset(self) -> None:
        """Bring the dataset back to the old state, as a new version of it."""
        dataset = lance.dataset(self.path)
        dataset = dataset.checkout_version(1)
        dataset.restore()

    def append(self) -> None:
        """Append undisturbed."""
        subprocess.run([*SIMIL, *_APPEND], cwd=self.folder, check=True)

    def kill_append(self, is_time: Callable[[], bool]) -> bool:
        """Append, and kill the process as soon as `is_time`; return whether it was killed."""
        process = subprocess.Popen([*SIMIL, *_APPEND], cwd=self.folder)
        stop = time.monotonic() + _LIMIT_S
        while process.poll() is None and not is_time():
            assert time.monotonic() < stop, "an append does not end"
        process.send_signal(signal.SIGKILL)
        return process.wait() == -signal.SIGKILL

    def files(self, folder: str) -> set[str]:
        """The names of the files in one folder of the dataset."""
        found = self.path / folder
        return {*os.listdir(found)} if found.exists() else set()  # noqa: PTH208


def _state(numbers: range, text: str, *, seed: int) -> State:
    vectors = np.random.default_rng(seed).standard_normal((len(numbers), _WIDTH)).astype(np.float32)
    rows = zip(numbers, vectors, strict=True)
    return {f"id {number}": (f"{text} {number}", vector.tobytes()) for number, vector in rows}


def _vectors(state: State) -> NDArray[np.float32]:
    return np.frombuffer(b"".join(vector for _, vector in state.values()), np.float32).reshape(-1, _WIDTH)


def _write(path: Path, state: State) -> None:
    table = {
        "id": [*state],
        "text": [text for text, _ in state.values()],
        "embedding": pa.FixedSizeListArray.from_arrays(_vectors(state).reshape(-1), _WIDTH),
    }
    pq.write_table(pa.table(table), path)

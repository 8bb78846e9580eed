"""Files that are cut or written while a run reads them: bad input or a damaged model, not a killed run."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from support.command import started


@pytest.mark.parametrize(
    ("size", "what"), [(1000, "was cut while it was read"), (None, "changed while it was read")]
)
def test_vectors_that_change_are_bad_input(size: int | None, what: str, tmp_path: Path) -> None:
    file = tmp_path / "v.npy"
    np.save(file, np.ones((20_000, 64), np.float32))
    with started("embed", str(file), "-f", "jsonl") as child:
        assert child.line()  # Now it waits until somebody reads on.
        if size is None:
            with file.open("r+b") as stream:
                stream.seek(-4, os.SEEK_END)
                stream.write(b"\0\0\0\0")
        else:
            os.truncate(file, size)
        done = child.finish()
    assert (done.code, done.error_line.partition(";")[0]) == (3, f"{file}: {what}")


def test_weights_that_are_cut_are_a_damaged_model(tmp_path: Path) -> None:
    output = tmp_path / "v.jsonl"
    arguments = ["embed", "-m", "minilm", "-o", str(output), "--engine", "onnx"]
    with started(*arguments, env={"SIMIL_CACHE_DIR": str(tmp_path / "cache")}) as child:
        child.write(b"a text\n")
        assert child.finish().code == 0
    (weights,) = tmp_path.glob("cache/prepared/*/weights.bin")
    output.write_bytes(b"old")
    with started(*arguments[:3], "-f", "jsonl", env={"SIMIL_CACHE_DIR": str(tmp_path / "cache")}) as child:
        child.write(b"one more text\n")
        assert child.line()
        os.truncate(weights, 1000)
        child.write(b"and another one\n")
        done = child.finish()
    assert (done.code, done.out) == (4, "")
    assert done.error_line.startswith(f"{weights}: was cut while it was in use")

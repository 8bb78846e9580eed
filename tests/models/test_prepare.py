"""A model is prepared once, and again if its files or the versions change."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from models.conftest import PROGRAM, Open, Started, outcome, prepared_folders
from simil.config import load_settings
from simil.embedders.factory import open_embedder

TEXTS = ["Apple", "an orange on the table"]


@pytest.fixture
def expected(folder: Path) -> NDArray[np.float32]:
    """The vectors of the model, prepared in another cache."""
    environ = {"SIMIL_CACHE_DIR": str(folder.parent / "elsewhere")}
    return open_embedder(load_settings(model=str(folder), threads=1, cache=False, environ=environ)).embed(
        TEXTS
    )


def _states(folder: Path) -> dict[str, tuple[int, int, int]]:
    found = {}
    for path in sorted(folder.iterdir()):
        status = path.stat()
        found[path.name] = (status.st_ino, status.st_mtime_ns, status.st_size)
    return found


def test_it_happens_once(cache: Path, open_model: Open, folder: Path, expected: NDArray[np.float32]) -> None:
    first = open_model(folder).embed(TEXTS)
    (made,) = prepared_folders(cache)
    before = _states(made)
    second = open_model(folder).embed(TEXTS)

    assert prepared_folders(cache) == [made]
    assert _states(made) == before
    assert set(before) == {"model.onnx", "weights.bin", "tokenizer.json", "meta.json"}
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first, expected)


def test_another_onnx_runtime_has_its_own(
    cache: Path, open_model: Open, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_model(folder)
    monkeypatch.setattr(onnxruntime, "__version__", "0.0.1")
    open_model(folder)

    assert len(prepared_folders(cache)) == 2


def test_files_of_another_time_are_prepared_again(cache: Path, open_model: Open, folder: Path) -> None:
    first = open_model(folder).embed(TEXTS)
    os.utime(folder / "model.safetensors", ns=(1, 1))
    second = open_model(folder).embed(TEXTS)

    assert len(prepared_folders(cache)) == 2
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("name", ["model.onnx", "weights.bin", "tokenizer.json", "meta.json"])
@pytest.mark.parametrize("damage", ["cut", "gone", "emptied"])
def test_a_damaged_copy_is_made_again(
    name: str, damage: str, cache: Path, open_model: Open, folder: Path, expected: NDArray[np.float32]
) -> None:
    open_model(folder)
    (made,) = prepared_folders(cache)
    path = made / name
    data = path.read_bytes()
    path.unlink()
    if damage != "gone":
        path.write_bytes(data[:-7] if damage == "cut" else b"")

    np.testing.assert_array_equal(open_model(folder).embed(TEXTS), expected)
    assert prepared_folders(cache) == [made]
    assert path.stat().st_size == len(data)


@pytest.mark.parametrize("blocked", ["", "prepared"], ids=["cache", "folder in it"])
def test_where_nothing_can_be_written_it_is_done_in_memory(
    blocked: str,
    cache: Path,
    open_model: Open,
    folder: Path,
    expected: NDArray[np.float32],
    caplog: pytest.LogCaptureFixture,
) -> None:
    obstacle = cache / blocked
    obstacle.parent.mkdir(parents=True, exist_ok=True)
    obstacle.write_text("a file, no folder")
    caplog.set_level(logging.INFO, "simil")

    np.testing.assert_allclose(open_model(folder).embed(TEXTS), expected, atol=1e-6)
    assert obstacle.read_text() == "a file, no folder"
    assert {record.levelname for record in caplog.records} == {"INFO"}
    assert "prepared in memory" in caplog.text


def test_on_a_full_disk_it_is_done_in_memory(
    cache: Path, start: Started, folder: Path, expected: NDArray[np.float32]
) -> None:
    limit = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))\n"
    result = outcome(start(folder, limit + PROGRAM))

    assert result["optimized"] is False
    assert prepared_folders(cache) == []
    np.testing.assert_allclose(result["vectors"], expected, atol=1e-6)


def test_what_nobody_used_for_a_month_is_removed(cache: Path, open_model: Open, folder: Path) -> None:
    old, recent = cache / "prepared" / "old-model", cache / "prepared" / "recent-model"
    for path, days in ((old, 40), (recent, 20)):
        path.mkdir(parents=True)
        (path / "model.onnx").write_bytes(b"x")
        then = time.time() - days * 86_400
        os.utime(path, (then, then))
    open_model(folder)

    assert not old.exists()
    assert (recent / "model.onnx").exists()


def test_a_copy_in_use_is_kept_however_old(cache: Path, open_model: Open, folder: Path) -> None:
    open_model(folder)
    (made,) = prepared_folders(cache)
    then = time.time() - 40 * 86_400
    os.utime(made, (then, then))
    open_model(folder)

    assert made.stat().st_mtime > then + 86_400

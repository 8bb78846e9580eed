from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.small_models import write_bert

from simil.config import load_settings
from simil.embedders.base import Embedder
from simil.embedders.factory import open_embedder

Open = Callable[..., Embedder]
Started = Callable[..., "subprocess.Popen[str]"]

# Opens a model and prints its vectors and whether they came from a prepared file.
PROGRAM = """
import json, sys
from simil.config import load_settings
from simil.embedders.factory import open_embedder

embedder = open_embedder(load_settings(model=sys.argv[1], engine="onnx", threads=1, cache=False))
vectors = embedder.embed(["Apple", "an orange on the table"])
print(json.dumps({"vectors": vectors.tolist(), "optimized": embedder._runner._sessions.few is not None}))
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache directory for this test."""
    monkeypatch.setenv("SIMIL_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small model in a user's folder."""
    return write_bert(tmp_path / "mine")


@pytest.fixture
def open_model(cache: Path) -> Open:
    def opening(model: str | Path, engine: str = "onnx", **settings: Any) -> Embedder:
        return open_embedder(
            load_settings(model=str(model), engine=engine, threads=1, cache=False, **settings)
        )

    return opening


@pytest.fixture
def start(cache: Path) -> Started:
    """Start a process that opens a model and embeds two texts."""

    def starting(model: str | Path, program: str = PROGRAM) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-W", "error", "-c", program, str(model)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ,
        )

    return starting


def outcome(process: subprocess.Popen[str]) -> Any:
    """Wait for a process of `start` and return its output."""
    printed, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    return json.loads(printed)


def prepared_folders(cache: Path) -> list[Path]:
    """Return all folders of prepared models, complete or not, without lock files."""
    return sorted(path for path in (cache / "prepared").iterdir() if path.is_dir())

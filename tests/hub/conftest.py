from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.hub_server import HubServer

REPO = "org/tiny"

_OURS = ("HF_", "HUGGINGFACE", "TRANSFORMERS_", "XDG_CACHE_HOME")


@pytest.fixture
def files() -> dict[str, bytes]:
    """A model folder in small: settings as git keeps them, weights as large file storage does."""
    return {
        "config.json": b'{"hidden_size": 4}\n',
        "1_Pooling/config.json": b'{"pooling_mode_mean_tokens": true}\n',
        "model.safetensors": random.Random(7).randbytes(200_000),
        "README.md": b"# Tiny\n",
    }


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and none of the user's settings for the hub."""
    for name in os.environ:
        if name.startswith(_OURS):
            monkeypatch.delenv(name)
    home = tmp_path / "huggingface"
    monkeypatch.setenv("HF_HOME", str(home))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    return home / "hub"


@pytest.fixture
def hub(files: dict[str, bytes], cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    with HubServer({REPO: files}) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.endpoint)
        yield server


@dataclass(frozen=True)
class Outcome:
    result: Any
    stderr: str


@pytest.fixture
def python(cache: Path) -> Callable[..., Outcome]:
    """Run a program in its own process with the test's environment; it prints one JSON value."""

    def run(program: str, *arguments: str, **environ: str) -> Outcome:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", program, *arguments],
            env=os.environ | environ,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return Outcome(json.loads(done.stdout), done.stderr)

    return run

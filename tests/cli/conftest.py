"""The command line's tests use the embedded model, and a terminal that is nobody's in particular."""

from __future__ import annotations

import pytest
from support import command
from support.plugin import install

_TERMINAL = ("NO_COLOR", "FORCE_COLOR", "COLORTERM", "COLUMNS", "LINES", "TTY_COMPATIBLE", "TTY_INTERACTIVE")
_PYTHON = ("PYTHONIOENCODING", "PYTHONUTF8", "LC_ALL", "LC_CTYPE")


@pytest.fixture(autouse=True)
def embedded_model(isolated: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pin the model that is always there, and take away what changes how Python and a terminal print."""
    monkeypatch.setenv("SIMIL_MODEL", "minilm")
    monkeypatch.setenv("LANG", "C.UTF-8")
    for name in (*_TERMINAL, *_PYTHON):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def fresh_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start Python anew for each run, where a test is about what happens then."""
    monkeypatch.setattr(command, "is_fresh", True)


@pytest.fixture
def plugins(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install the tests' embedders for this test, and pin the plainest of them."""
    monkeypatch.setenv("PYTHONPATH", str(install(tmp_path_factory.mktemp("site") / "packages")))
    monkeypatch.setenv("SIMIL_MODEL", "plugin:letters")

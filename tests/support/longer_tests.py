"""Tests that take long and that not every change needs: `--clusters` and `--benchmarks` run them, too."""

from __future__ import annotations

from pathlib import Path

import pytest

_TESTS = Path(__file__).resolve().parents[1]
_OPTIONS = {
    _TESTS / "clusters": ("--clusters", "also the tests on several nodes of Ray"),
    _TESTS / "measuring": ("--benchmarks", "also the tests of the benchmarks"),
}


def pytest_addoption(parser: pytest.Parser) -> None:
    for option, what in _OPTIONS.values():
        parser.addoption(option, action="store_true", help=what)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    option = _OPTIONS.get(collection_path)
    return True if option is not None and not config.getoption(option[0]) else None

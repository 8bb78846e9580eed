"""`pytest --clusters`: the tests on several nodes, too, which take a quarter of the time of all tests."""

from __future__ import annotations

from pathlib import Path

import pytest

_FOLDER = Path(__file__).resolve().parents[1] / "clusters"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--clusters", action="store_true", help="also the tests on several nodes of Ray")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    return True if collection_path == _FOLDER and not config.getoption("--clusters") else None

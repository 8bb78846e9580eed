"""Tests that take long and that not every change needs: each kind has an option and a target of make."""

from __future__ import annotations

from pathlib import Path

import pytest

_TESTS = Path(__file__).resolve().parents[1]
_KINDS = {
    "--clusters": ("clusters", "runners/test_local_ray.py"),
    "--benchmarks": ("measuring",),
    "--endurance": (
        "torture",
        "cli/test_control_characters.py",
        "cli/test_lance_kills.py",
        "cli/test_larger_than_memory.py",
        "cli/test_memory.py",
        "cli/test_openai_proofs.py",
        "engines/test_precision.py",
        "tasks/test_projection.py",
        "vector_cache/test_hostile_use.py",
    ),
}
_OPTIONS = {_TESTS / path: option for option, paths in _KINDS.items() for path in paths}


def pytest_addoption(parser: pytest.Parser) -> None:
    for option, paths in _KINDS.items():
        parser.addoption(option, action="store_true", help=f"the tests in {', '.join(paths)}, alone")


def pytest_configure(config: pytest.Config) -> None:
    kinds = [option for option in _KINDS if config.getoption(option)]
    if kinds and config.args_source is not pytest.Config.ArgsSource.ARGS:
        config.args[:] = [str(_TESTS / path) for option in kinds for path in _KINDS[option]]


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    option = _OPTIONS.get(collection_path)
    return True if option is not None and not config.getoption(option) else None

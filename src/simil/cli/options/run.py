"""What every run of a command sets up: its settings, and how much it says."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from simil.config import Settings, load_settings
from simil.errors import UsageError

__all__ = ["Run", "quieted", "start_run"]


@dataclass(frozen=True, slots=True)
class Run:
    """What every command is given: its settings, and whether it may speak."""

    settings: Settings
    quiet: bool


@contextmanager
def start_run(*, quiet: bool, verbose: bool, **flags: Any) -> Iterator[Run]:
    """Set up a run: settings from flags and elsewhere, notes on stderr as loud as asked for."""
    if quiet and verbose:
        raise UsageError("-q and -v contradict each other", hint="pass one of them")
    with _logging(logging.ERROR if quiet else logging.INFO if verbose else logging.WARNING):
        yield Run(load_settings(**flags), quiet)


@contextmanager
def quieted() -> Iterator[None]:
    """Let nothing but errors be said on stderr, in a run that tells of everything itself."""
    with _logging(logging.ERROR):
        yield


@contextmanager
def _logging(level: int) -> Iterator[None]:
    logger = logging.getLogger("simil")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("simil: %(message)s"))
    before, propagated = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.propagate = False
    logger.setLevel(level)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
        logger.propagate = propagated

"""Keeps what transformers and its like report off stderr while a model loads, and reads it."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from simil.errors import ModelDamaged, Place

__all__ = ["quiet_import", "quiet_transformers"]

_MISSING = re.compile(r"^(\S+)\s*\|\s*MISSING", re.MULTILINE)
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
# What is put on top of a transformer; embeddings are taken from below.
_HEADS = ("pooler", "cls.", "classifier", "lm_head")


@contextmanager
def quiet_import() -> Iterator[None]:
    """Keep transformers from advising on stderr, while it is imported, to install PyTorch."""
    log = logging.getLogger("transformers")

    def is_error(record: logging.LogRecord) -> bool:
        return record.levelno >= logging.ERROR

    log.addFilter(is_error)
    try:
        yield
    finally:
        log.removeFilter(is_error)


@contextmanager
def quiet_transformers(folder: Path | None = None, *, uses_head: bool = False) -> Iterator[None]:
    """Silence transformers and its like within the context, and restore their settings afterwards.

    Raises `ModelDamaged` at the end if weights of the model in `folder` were missing, for which it makes up
    random ones; those of a head may be missing unless the model `uses_head`.
    """
    from transformers.utils import logging as settings

    verbosity, bars = settings.get_verbosity(), settings.is_progress_bar_enabled()
    log, above = logging.getLogger("transformers.modeling_utils"), logging.getLogger("sentence_transformers")
    reports = _Reports(() if uses_head else _HEADS)
    level, level_above, propagate = log.level, above.level, log.propagate
    settings.set_verbosity_error()
    settings.disable_progress_bar()
    log.addHandler(reports)
    log.setLevel(logging.WARNING)
    log.propagate = False
    above.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.removeHandler(reports)
        log.setLevel(level)
        above.setLevel(level_above)
        log.propagate = propagate
        settings.set_verbosity(verbosity)
        if bars:
            settings.enable_progress_bar()
    if reports.missing:
        raise ModelDamaged(
            f"its weights lack {reports.missing[0]}",
            hint="fetch the model again, or choose another",
            place=None if folder is None else Place(str(folder)),
        )


class _Reports(logging.Handler):
    """Collects which weights the reports say are missing, but for those with a name in `unused`."""

    def __init__(self, unused: Sequence[str]) -> None:
        super().__init__(logging.WARNING)
        self._unused = unused
        self.missing: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        names = _MISSING.findall(_COLOURS.sub("", record.getMessage()))
        self.missing += [name for name in names if not any(part in name for part in self._unused)]

"""Sees to it that a run's cached results and its prepared graph are of one generation."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol, TypeVar

from simil.errors import ModelDamaged
from simil.models.files.model_source import ModelSource
from simil.models.graphs.generations import Generation

__all__ = ["GenerationWatch"]


class _Closable(Protocol):
    def close(self) -> None: ...


_Opened = TypeVar("_Opened", bound=_Closable)


class GenerationWatch:
    """The generation of a model as it was before its cache was looked up.

    Attributes:
        token: what the keys of cached results contain.
    """

    def __init__(self, source: ModelSource, cache_dir: Path) -> None:
        """Look at what was built for `source`; damaged files are removed, which begins a new generation."""
        self._source = source
        self._generation = Generation.of(source, cache_dir)
        self.token = self._known = self._generation.token()
        if not self._generation.is_undisturbed():
            from simil.models.graphs.build_once import mended

            self.token = mended(self._generation)
            self._known = self._generation.token()

    def open_unchanged(self, opening: Callable[[], _Opened], *, uses_cache: bool) -> _Opened:
        """Return what `opening` opens.

        Closes it and raises `ModelDamaged` if a file of the model has changed meanwhile or, for a run that
        `uses_cache`, if a new generation has begun: cached results may be of a damaged graph.
        """
        opened = opening()
        with ExitStack() as at_failure:
            at_failure.callback(opened.close)
            self._source.expect_unchanged()
            if uses_cache and self._generation.token() != self._known:
                raise ModelDamaged(
                    f"the prepared files of {self._source.name} were damaged",
                    hint="they are mended; run it again",
                )
            at_failure.pop_all()
        return opened

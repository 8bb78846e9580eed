"""Sees to it that a run's cached results and its prepared graph are of one generation."""

from __future__ import annotations

from pathlib import Path

from simil.errors import ModelDamaged
from simil.models.files.model_source import ModelSource
from simil.models.graphs.generations import Generation

__all__ = ["GenerationWatch"]


class GenerationWatch:
    """The generation of a model as it was before its cache was looked up.

    Attributes:
        token: what the keys of cached results contain.
    """

    def __init__(self, source: ModelSource, cache_dir: Path) -> None:
        """Look at what was built for `source`; damaged files are removed, which begins a new generation."""
        self._name = source.name
        self._generation = Generation.of(source, cache_dir)
        self.token = self._known = self._generation.token()
        if not self._generation.is_undisturbed():
            from simil.models.graphs.build_once import mended

            self.token = mended(self._generation)
            self._known = self._generation.token()

    def expect_unchanged(self) -> None:
        """Raise `ModelDamaged` if a new generation has begun: cached results may be of a damaged graph."""
        if self._generation.token() != self._known:
            raise ModelDamaged(
                f"the prepared files of {self._name} were damaged", hint="they are mended; run it again"
            )

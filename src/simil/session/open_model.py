"""The one model of a session: opened when it is first needed, and held to for every vector."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simil.errors import ModelMismatch
from simil.progress import Progress
from simil.tasks.corpus import check_models

if TYPE_CHECKING:
    from simil.config import Settings
    from simil.embedders.base import Embedder
    from simil.vectors.stored_texts import StoredTexts

__all__ = ["OpenModel"]


class OpenModel:
    """Opens the model that `settings` ask for, once, and refuses vectors of any other.

    Attributes:
        dimensions: how many dimensions of each vector are kept; None for all.
        opened: the embedder, None while no text has needed one.
    """

    def __init__(
        self, settings: Settings, dimensions: int | None, *, normalize: bool, progress: Progress
    ) -> None:
        """Open nothing yet; without `normalize` the model leaves vectors as long as it makes them."""
        self.dimensions = dimensions
        self.opened: Embedder | None = None
        self._settings = settings
        self._normalize = normalize
        self._progress = progress
        self._stamps: set[str | None] = set()
        self._width: int | None = None

    @property
    def stamp(self) -> str | None:
        """The model of the vectors so far; None where there are none, or their file does not say."""
        return next(iter(self._stamps), None)

    @property
    def was_met(self) -> bool:
        """Whether there were any vectors yet, computed or read."""
        return bool(self._stamps)

    def embedder(self) -> Embedder:
        """Return the embedder, opened by the first call.

        Vectors that were read before name the model where no setting does and it runs on this machine.
        Raises `ModelMismatch` where the two disagree, `ModelError` for a model that cannot be opened.
        """
        from simil.embedders.factory import open_embedder
        from simil.models.catalog import find_by_stamp

        if self.opened is None:
            settings = self._settings
            known = find_by_stamp(self.stamp) if self.stamp else None
            if settings.model is None and known is not None and known.provider != "openai":
                settings = settings.replaced(model=known.name)
            self.opened = open_embedder(
                settings, dimensions=self.dimensions, normalize=self._normalize, progress=self._progress
            )
            check_models(self._stamps | {self.opened.stamp})
        return self.opened

    def reuse(self, texts: StoredTexts) -> None:
        """Take the vectors of texts that a dataset has from there; the model is opened."""
        from simil.embedders.stored_embedder import StoredEmbedder

        self.opened = StoredEmbedder(self.embedder(), texts)

    def admit(self, stamp: str | None, width: int) -> None:
        """Note vectors of `width` dimensions; raises `ModelMismatch` where they cannot meet those before."""
        # What is refused is not remembered: a session of a program goes on.
        check_models(self._stamps | {stamp})
        if self._width not in (None, width):
            raise ModelMismatch(
                f"vectors of {self._width} and {width} dimensions cannot be compared",
                hint=f"pass --dimensions {min(self._width or width, width)}",
            )
        self._stamps.add(stamp)
        self._width = width

    def close(self) -> None:
        """Let go of the embedder."""
        if self.opened is not None:
            self.opened.close()

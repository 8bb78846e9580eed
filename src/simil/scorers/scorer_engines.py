"""Chooses and opens the engine that runs a cross-encoder on this machine."""

from __future__ import annotations

import logging

from simil.config import Settings
from simil.embedders.local.engines import check_engine, verified
from simil.embedders.overflow import Overflow
from simil.errors import UsageError
from simil.models.files.cross_encoder import PairModel
from simil.models.files.model_source import ModelSource
from simil.progress import Progress
from simil.scorers.base import Scorer

__all__ = ["check_scorer_settings", "open_local_scorer"]

log = logging.getLogger("simil")


def check_scorer_settings(settings: Settings) -> None:
    """Raise `UsageError` or `ModelError` for settings with which no cross-encoder runs."""
    if settings.precision != "float32":
        raise UsageError(
            f"{settings.precision} is not supported for a cross-encoder", hint="leave out --precision"
        )
    if settings.overflow == Overflow.CHUNK:
        raise UsageError(
            "a cross-encoder cannot read two texts in windows", hint="use --overflow truncate or error"
        )
    check_engine(settings)


def open_local_scorer(
    source: ModelSource, model: PairModel, stamp: str, settings: Settings, *, progress: Progress
) -> Scorer:
    """Return the scorer of a model's files, of which `model` was read.

    Raises `ModelError` if the model cannot be opened, or not by the engine that `settings` ask for.
    """
    from simil.scorers.torch_scorer import TorchScorer

    return verified(
        source.verify,
        lambda: TorchScorer(
            stamp,
            Overflow(settings.overflow),
            source,
            device=settings.device,
            threads=settings.threads,
        ),
    )

"""Opens the scorer that the settings of a run ask for."""

from __future__ import annotations

from functools import partial

from simil.config import Settings
from simil.embedders.cache.keys import KeyBuilder
from simil.embedders.overflow import Overflow, same_result
from simil.errors import ModelError, UsageError
from simil.models.files.cross_encoder import (
    PairModel,
    not_a_cross_encoder,
    read_cross_encoder,
)
from simil.models.files.folder_check import check_folder
from simil.models.files.model_kind import ModelKind
from simil.models.files.model_source import ModelSource
from simil.models.graphs.generation_watch import GenerationWatch
from simil.models.model_note import FROM_CACHE, model_note
from simil.models.resolve import Provider, resolve
from simil.models.select import check_consent, find_or_fetch, known_kind
from simil.progress import Progress, silent
from simil.scorers.base import Scorer
from simil.scorers.scorer_engines import PRECISION, check_scorer_settings, open_local_scorer

__all__ = ["open_scorer"]


def open_scorer(settings: Settings, *, progress: Progress = silent) -> Scorer:
    """Return the scorer of the model that `settings` name; fetches the model's files if need be.

    With a cache, the model is prepared and opened only for the first pair that is not cached. Raises
    `ModelError` for a model that is no cross-encoder or cannot be opened, `ProviderError` or `UsageError` if
    there is no such model.
    """
    if settings.model is None:
        raise UsageError("no model is named that scores pairs of texts")
    check_scorer_settings(settings)
    source = _find(settings.model, settings, progress)
    model = _read(settings.model, source)
    stamp = source.stamp(settings.cache_dir)
    revision = source.digest(settings.cache_dir)
    note = model_note(source, PRECISION, revision, {"pair": model.prompt})
    watch = GenerationWatch(source, settings.cache_dir)

    def opened() -> Scorer:
        return watch.open_unchanged(
            lambda: open_local_scorer(source, model, stamp, settings, on_engine=note, progress=progress),
            uses_cache=settings.cache,
        )

    if not settings.cache:
        return opened()
    from simil.embedders.cache.store import VectorCache, cache_folder
    from simil.scorers.cached_scorer import CachedScorer

    key_builder = KeyBuilder(
        backend="cross-encoder",
        model=stamp,
        revision=revision,
        precision=PRECISION,
        pipeline=str(model),
        max_tokens=model.max_tokens,
        overflow=same_result(Overflow(settings.overflow)),
        generation=watch.token,
    )
    cache = VectorCache(cache_folder(settings.cache_dir), settings.cache_mb * 10**6)
    return CachedScorer(stamp, key_builder, cache, opened, partial(note, FROM_CACHE))


def _find(name: str, settings: Settings, progress: Progress) -> ModelSource:
    """Return the files of the model that is called `name`, fetched if need be."""
    ref = resolve(name)
    check_consent(ref, settings)
    if ref.provider is Provider.HUB and known_kind(ref) is ModelKind.EMBEDDER:
        raise not_a_cross_encoder(name, ModelKind.EMBEDDER)  # It need not be fetched first.
    # Offline, what ships with simil would be no help: it scores no pairs.
    source = find_or_fetch(ref, offline=settings.hub_offline, progress=progress)
    if source is None:
        raise ModelError(
            f"{ref.cli_name} embeds texts and scores no pairs",
            hint="give a cross-encoder that runs on this machine",
        )
    return source


def _read(name: str, source: ModelSource) -> PairModel:
    if not source.embedded:
        check_folder(source.folder)
    return read_cross_encoder(name, source.folder)

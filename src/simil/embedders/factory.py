"""From settings to the embedder of this run."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from simil.config import Settings
from simil.embedders.base import Embedder, Kind
from simil.embedders.cache.keys import Recipe
from simil.embedders.local.base import LocalModel
from simil.embedders.local.engines import find_chain, open_local
from simil.embedders.overflow import Overflow
from simil.errors import ModelError
from simil.models.catalog import ModelInfo
from simil.models.files.chain import read_prompts
from simil.models.files.model_source import ModelSource
from simil.models.resolve import ModelRef, Provider
from simil.models.select import choose_model
from simil.progress import Progress, silent

if TYPE_CHECKING:
    from simil.embedders.cache.cached_embedder import CachedEmbedder

__all__ = ["open_embedder"]

log = logging.getLogger("simil")

# Of a text with so many bytes no embedding model that is about cuts anything off.
_FITS_BYTES = 256


@dataclass(frozen=True, slots=True)
class _Model:
    """A model that was found: its name in outputs, what its vectors depend on, and how it is opened."""

    stamp: str
    recipe: Recipe
    open: Callable[[], Embedder]


def open_embedder(
    settings: Settings, *, dimensions: int | None = None, normalize: bool = True, progress: Progress = silent
) -> Embedder:
    """Return the embedder that `settings` ask for, its files fetched where need be.

    With a cache the model is prepared and opened for the first text that the cache does not hold.
    `dimensions` is how many the caller will keep: an API that can shorten vectors is asked to; a
    warning is logged for a model that was not trained for it. Without `normalize` a local model
    leaves out the normalization at the end of its chain.
    """
    ref, source = choose_model(
        settings.model, offline=settings.offline, cache_dir=settings.cache_dir, progress=progress
    )
    if ref.provider is Provider.PLUGIN:
        from simil.embedders.plugins import load_plugin

        return load_plugin(ref.target)
    if dimensions is not None and not _shortens(ref):
        log.warning(
            "%s was not trained for shorter vectors: expect worse results with %d dimensions",
            ref.target,
            dimensions,
        )
    if source is None:
        return _behind_api(ref, settings, dimensions)
    model = _local(source, settings, raw=not normalize, progress=progress)
    embedder = _cached(model, settings) if settings.cache else model.open()
    embedder.folder = source.folder
    return embedder


def _cached(model: _Model, settings: Settings, folder: Path | None = None) -> CachedEmbedder:
    """Return the embedder of a model with a cache around it: the user's, or one in `folder`."""
    from simil.embedders.cache.cached_embedder import CachedEmbedder
    from simil.embedders.cache.store import VectorCache, cache_folder

    # What one run has paid for is not to make way within it.
    most = settings.cache_mb * 10**6 if folder is None else sys.maxsize
    cache = VectorCache(folder or cache_folder(settings.cache_dir), most)
    return CachedEmbedder(model.stamp, model.recipe, cache, model.open)


def _shortens(ref: ModelRef) -> bool:
    # An API's model that the catalog does not know is asked, and says itself whether it can.
    return ref.info.shortens if ref.info else ref.provider is Provider.OPENAI


def _behind_api(ref: ModelRef, settings: Settings, dimensions: int | None) -> Embedder:
    """Return the embedder of a model behind an API, with a cache in any case: what is paid for is kept.

    With the cache turned off it lasts for this run, whose equal texts are sent once all the same.
    """
    from simil.embedders.openai.client import OpenAIEmbedder

    if settings.offline:
        raise ModelError(f"{ref.target} runs behind an API and simil is offline", hint="use a local model")
    info, overflow = ref.info, Overflow(settings.overflow)
    api = OpenAIEmbedder(
        model=ref.target,
        api_key=settings.openai.api_key,
        base_url=settings.openai.base_url,
        api_version=settings.openai.api_version,
        request_dimensions=dimensions if _shortens(ref) else None,
        known_dimensions=info.dimensions if info else None,
        max_tokens=info.max_tokens if info else None,
        price=info.price if info else None,
        overflow=overflow,
        concurrency=settings.concurrency,
        retries=settings.retries,
    )
    recipe = Recipe(
        backend=f"openai at {api.address}",
        model=ref.target,
        overflow=_same_vector(overflow),
        fits_bytes=(info.max_tokens if info else None) or _FITS_BYTES,
    )
    model = _Model(api.stamp, recipe, lambda: api)
    with ExitStack() as at_close:
        passing = None
        if not settings.cache:
            passing = Path(at_close.enter_context(TemporaryDirectory(prefix="simil-")))
        embedder = _cached(model, settings, passing)
        embedder.at_close = at_close.pop_all()
    embedder.is_paid, embedder.reading, embedder.usage = api.is_paid, api.reading, api.usage
    embedder.dimensions = dimensions or api.dimensions
    return embedder


def _local(source: ModelSource, settings: Settings, *, raw: bool, progress: Progress) -> _Model:
    chain = find_chain(source, settings)
    stamp = source.stamp(settings.cache_dir)
    if settings.precision == "int8":
        from simil.models.graphs.quantize import quantization_name

        stamp = f"{stamp}+{quantization_name()}"
    model = LocalModel(stamp, _prompts(source.folder, source.info), Overflow(settings.overflow))
    recipe = Recipe(
        backend="local",
        model=stamp,
        revision=source.digest(settings.cache_dir),
        precision=settings.precision,
        # A chain that is not known here is told by the files, and so by the revision.
        pipeline=f"{chain}{' raw' if raw else ''}",
        prompts=model.prompts,
        max_tokens=chain.max_tokens if chain else None,
        overflow=_same_vector(model.overflow),
    )
    return _Model(
        stamp, recipe, lambda: open_local(source, chain, model, settings, raw=raw, progress=progress)
    )


def _same_vector(overflow: Overflow) -> Overflow:
    # With a warning or without is the same vector.
    return Overflow.TRUNCATE if overflow is Overflow.WARN else overflow


def _prompts(folder: Path, info: ModelInfo | None) -> dict[Kind, str]:
    """Take the prompts of the model's own files; where they are silent, those of its card."""
    own = read_prompts(folder)
    card = info.prompts if info else {}
    return {kind: own.get(kind) or card.get(kind, "") for kind in Kind}

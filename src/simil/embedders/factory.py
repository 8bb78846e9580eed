"""Opens the embedder that the settings of a run ask for."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from simil.config import Settings
from simil.consent import consent_missing, host_of
from simil.embedders.base import Embedder, Kind
from simil.embedders.cache.keys import KeyBuilder
from simil.embedders.local.engine_choice import BY_DRIVER, EngineChoice, GpuFinder, choose_engine, gives_way
from simil.embedders.local.engines import open_local
from simil.embedders.local.local_model import LocalModel
from simil.embedders.overflow import Overflow, same_result
from simil.errors import ModelError, UsageError
from simil.frozen import Frozen
from simil.models.catalog import ModelInfo
from simil.models.files.model_kind import ModelKind, refusal
from simil.models.files.model_settings import read_prompts, read_similarity
from simil.models.files.model_source import ModelSource
from simil.models.graphs.generation_watch import GenerationWatch
from simil.models.model_note import FROM_CACHE, model_note
from simil.models.resolve import ModelRef, Provider, resolve
from simil.models.select import check_consent, choose_model, known_kind
from simil.progress import Progress, silent

if TYPE_CHECKING:
    from simil.embedders.cache.cached_embedder import CachedEmbedder
    from simil.embedders.openai.tokens import TokenCounter

__all__ = ["open_embedder"]

log = logging.getLogger("simil")

# 2: the first entries do not tell of which texts the model knows nothing. A server's model never tells, and
# its vectors cost money: they keep their keys. 3: tokenizers are read as transformers reads them, and some
# keep the end of a long text; that of the embedded model is as it was.
_LOCAL_VERSION, _EMBEDDED_VERSION = 3, 2
# 2: the first vectors do not tell from which server they are, and another model's could not be dropped.
_SERVED_VERSION = 2
# No embedding model in use truncates a text of so many bytes.
_FITS_BYTES = 256


class _LocatedModel(Frozen):
    """A model that is not open yet: its name in outputs, what its vectors depend on, and how to open it.

    `on_unopened` is called at the end if all vectors came from the cache.
    """

    stamp: str
    key_builder: KeyBuilder
    open: Callable[[], Embedder]
    on_unopened: Callable[[], None] = lambda: None


class _ApiFacts(Frozen):
    """What is known of a model behind an API.

    `info` is the catalog's, None if it does not know the model at that address. A text of more than
    `max_tokens`, by the counter that `open_counter` opens, is cut as `overflow` says. `cuts` tells one such
    cut from another in the keys of vectors, and a text of `fits_bytes` is not cut by any.
    """

    info: ModelInfo | None
    max_tokens: int | None
    overflow: Overflow
    cuts: str
    fits_bytes: int
    open_counter: Callable[[int | None], TokenCounter] | None


def open_embedder(
    settings: Settings,
    *,
    dimensions: int | None = None,
    normalize: bool = True,
    progress: Progress = silent,
    finder: GpuFinder = BY_DRIVER,
) -> Embedder:
    """Return the embedder that `settings` ask for; fetches the model's files if need be.

    With a cache, the model is prepared and opened only for the first text that is not cached. `dimensions` is
    how many the caller will keep: an API that can shorten vectors does so, and for a model that was not
    trained for it a warning is logged. Without `normalize`, a local model leaves out its final normalization.
    `finder` finds a GPU for many texts, where the settings leave the device open. Raises `ModelError`,
    `ProviderError` or `UsageError` if there is no such embedder.
    """
    if settings.model is not None:
        pinned = resolve(settings.model)
        check_consent(pinned, settings)
        if known_kind(pinned) is ModelKind.CROSS_ENCODER:  # It need not be fetched first.
            raise refusal(ModelKind.CROSS_ENCODER, settings.model)
    ref, source = choose_model(
        settings.model, offline=settings.hub_offline, cache_dir=settings.cache_dir, progress=progress
    )
    if settings.server_flag is not None and (source is not None or ref.provider is Provider.PLUGIN):
        raise UsageError(
            f"{settings.server_flag} is for a model behind a server, which {ref.target} is not",
            hint="leave it out, or name the server's with -m openai:NAME",
        )
    if ref.provider is Provider.PLUGIN:
        from simil.embedders.plugins import load_plugin

        return load_plugin(ref.target)
    if source is None:
        return _open_api(ref, settings, dimensions)
    if dimensions is not None and not (ref.info and ref.info.shortens):
        _warn_of_shortening(ref, dimensions)
    embedder = _open_files(source, settings, finder, raw=not normalize, progress=progress)
    embedder.folder = source.folder
    if not source.embedded:
        embedder.metric = read_similarity(source.folder)
    return embedder


def _cached(model: _LocatedModel, settings: Settings, folder: Path | None = None) -> CachedEmbedder:
    """Return the embedder of a model with a cache around it: the user's cache, or one in `folder`."""
    from simil.embedders.cache.cached_embedder import CachedEmbedder
    from simil.embedders.cache.store import VectorCache, cache_folder

    # A cache for one run keeps everything that the run has paid for.
    most = settings.cache_mb * 10**6 if folder is None else sys.maxsize
    where = folder or cache_folder(settings.cache_dir)
    cache = VectorCache(where, most, gathers=settings.gathers_writes, is_temporary=folder is not None)
    return CachedEmbedder(model.stamp, model.key_builder, cache, model.open, model.on_unopened)


def _warn_of_shortening(ref: ModelRef, dimensions: int) -> None:
    log.warning(
        "%s was not trained for shorter vectors: expect worse results with %d dimensions",
        ref.target,
        dimensions,
    )


def _api_facts(ref: ModelRef, settings: Settings, *, is_own: bool) -> _ApiFacts:
    """Return what is known of a model: by the catalog at OpenAI's and Azure's addresses, and by the user."""
    from simil.embedders.openai.tokenizer_choice import BY_BYTES, choose_tokenizer

    info = ref.info if is_own and ref.info and ref.info.provider == "openai" else None
    limit, overflow = settings.max_tokens or (info.max_tokens if info else None), Overflow(settings.overflow)
    fits, cuts = limit or _FITS_BYTES, str(same_result(overflow))
    counter = None if is_own else BY_BYTES
    if settings.tokenizer is not None:
        counter = choose_tokenizer(settings.tokenizer)
    if settings.max_tokens or (settings.tokenizer is not None and limit):
        cuts = f"{cuts} at {limit} tokens by {counter.identity if counter else 'default'}"
        fits //= counter.tokens_of_a_byte if counter else 1
    return _ApiFacts(info, limit, overflow, cuts, fits, None if counter is None else counter.open)


def _open_api(ref: ModelRef, settings: Settings, dimensions: int | None) -> Embedder:
    """Return the embedder of a model behind an API, always with a cache, since its vectors cost money.

    If the cache is turned off, a temporary one lasts for this run, so that equal texts are still sent once.
    """
    from simil.embedders.cache.served_model import ServedModel
    from simil.embedders.openai.client import OpenAIEmbedder
    from simil.embedders.openai.endpoint import Endpoint
    from simil.embedders.openai.transport import Timeout

    if settings.offline:
        raise ModelError(
            f"{ref.target} runs behind an API and simil is offline ({settings.offline})",
            hint=f"use a local model, or run without {settings.offline}",
        )
    server = settings.openai
    if server.url_unconsented is not None:
        does = f"would send texts to {host_of(server.base_url)}"
        raise consent_missing(server.url_unconsented, "OPENAI_BASE_URL", does)
    endpoint = Endpoint.under(server.base_url.strip(), server.api_key, server.api_version, server.key_hint)
    is_own = endpoint.is_openai_or_azure
    known = _api_facts(ref, settings, is_own=is_own)
    info = known.info
    # A server itself rejects the request if a model unknown here cannot shorten vectors.
    shortens = info is None or info.shortens
    if dimensions is not None and not shortens:
        _warn_of_shortening(ref, dimensions)
    api = OpenAIEmbedder(
        model=ref.target,
        api_key=server.api_key,
        base_url=server.base_url,
        api_version=server.api_version,
        key_hint=server.key_hint,
        request_dimensions=dimensions if shortens else None,
        known_dimensions=info.dimensions if info else None,
        max_tokens=known.max_tokens,
        price=info.price if info else None,
        overflow=known.overflow,
        concurrency=settings.concurrency,
        retries=settings.retries,
        batch_size=settings.batch_size,
        open_counter=known.open_counter,
        timeout=None if settings.timeout is None else Timeout.of(settings.timeout),
    )
    key_builder = KeyBuilder(
        version=1 if is_own else _SERVED_VERSION,
        backend=f"openai at {api.address}",
        model=ref.target,
        overflow=known.cuts,
        fits_bytes=known.fits_bytes,
    )
    model = _LocatedModel(api.stamp, key_builder, lambda: api)
    with ExitStack() as at_close:
        temporary = None
        if not settings.cache:
            from tempfile import TemporaryDirectory

            temporary = Path(at_close.enter_context(TemporaryDirectory(prefix="simil-")))
        embedder = _cached(model, settings, temporary)
        embedder.at_close = at_close.pop_all()
    if not is_own:
        embedder.served = ServedModel(
            ref.target,
            endpoint.address.removesuffix("/embeddings"),
            api.ask_anew,
            lambda: api.answered_by,
            is_trusted=settings.trust_cache,
        )
    embedder.is_paid, embedder.read_ahead, embedder.usage = api.is_paid, api.read_ahead, api.usage
    embedder.dimensions = dimensions or api.dimensions
    return embedder


def _open_files(
    source: ModelSource, settings: Settings, finder: GpuFinder, *, raw: bool, progress: Progress
) -> Embedder:
    """Return the embedder of a model of this machine; many texts may go to a GPU."""
    choice = choose_engine(source, settings, finder)
    model = _locate_local(source, choice, settings, raw=raw, progress=progress)

    def opened(model: _LocatedModel) -> Embedder:
        return _cached(model, settings) if settings.cache else model.open()

    if not gives_way(choice, settings, finder):
        return opened(model)
    from simil.embedders.bulk_embedder import BulkEmbedder
    from simil.embedders.local.workload import Workload

    def on_gpu() -> Embedder:
        there = finder.on_it(settings)
        located = _locate_local(source, choose_engine(source, there), there, raw=raw, progress=progress)
        return opened(located.replaced(open=lambda: _open_found(located, finder)))

    workload = Workload(source.folder, settings.threads, choice.chain.max_tokens if choice.chain else None)
    return BulkEmbedder(
        model.stamp,
        lambda: opened(model),
        on_gpu,
        outgrows=partial(workload.outgrows, finder.start_s),
        is_cached=settings.cache,
    )


def _open_found(model: _LocatedModel, finder: GpuFinder) -> Embedder:
    found = finder.find()
    if not found.names:
        raise ModelError(found.why_none)
    return model.open()


def _locate_local(
    source: ModelSource, choice: EngineChoice, settings: Settings, *, raw: bool, progress: Progress
) -> _LocatedModel:
    chain = choice.chain
    stamp = source.stamp(settings.cache_dir)
    if choice.precision == "int8":
        from simil.models.graphs.quantize import quantization_name

        stamp = f"{stamp}+{quantization_name()}"
    watch = GenerationWatch(source, settings.cache_dir)
    prompts, revision = _prompts(source.folder, source.info), source.digest(settings.cache_dir)
    note = model_note(source, choice.precision, revision, {str(kind): prompts[kind] for kind in prompts})
    model = LocalModel(stamp, prompts, Overflow(settings.overflow), note)
    key_builder = KeyBuilder(
        version=_EMBEDDED_VERSION if source.embedded else _LOCAL_VERSION,
        backend="local",
        model=stamp,
        revision=revision,
        precision=choice.precision,
        # A chain that only sentence-transformers can run is identified by the files' revision.
        pipeline=f"{chain}{' raw' if raw else ''}",
        prompts=model.prompts if chain else _prompts_by_module(source.folder, model.prompts),
        max_tokens=chain.max_tokens if chain else None,
        overflow=same_result(model.overflow),
        generation=watch.token,
    )

    def opened() -> Embedder:
        return watch.open_unchanged(
            lambda: open_local(source, choice, model, settings, raw=raw, progress=progress),
            uses_cache=settings.cache,
        )

    return _LocatedModel(stamp, key_builder, opened, partial(note, FROM_CACHE))


def _prompts_by_module(folder: Path, prompts: Mapping[Kind, str]) -> Mapping[Kind, str]:
    """Return the prompts by kind for the keys of vectors, with the kind if it may have modules of its own."""
    from simil.models.files.module_folders import routes_texts

    return (
        {kind: f"{kind}: {prompt}" for kind, prompt in prompts.items()} if routes_texts(folder) else prompts
    )


def _prompts(folder: Path, info: ModelInfo | None) -> dict[Kind, str]:
    """Return the prompts of the model's own files or, for a kind that they lack, those of its card."""
    own = read_prompts(folder)
    card = info.prompts if info else {}
    return {kind: own.get(kind) or card.get(kind, "") for kind in Kind}

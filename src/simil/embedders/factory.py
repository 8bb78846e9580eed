"""From settings to the embedder of this run."""

from __future__ import annotations

import logging
from pathlib import Path

from simil.config import Settings
from simil.embedders.base import Embedder, Kind
from simil.embedders.local import LocalModel, Overflow
from simil.errors import ModelError
from simil.models.catalog import ModelInfo
from simil.models.chain import UnknownChain, read_chain, read_prompts
from simil.models.resolve import ModelRef, Provider
from simil.models.select import choose
from simil.models.source import ModelSource, verify_embedded
from simil.progress import Progress, silent

__all__ = ["open_embedder"]

log = logging.getLogger("simil")


def open_embedder(
    settings: Settings, *, dimensions: int | None = None, normalize: bool = True, progress: Progress = silent
) -> Embedder:
    """Return the embedder that `settings` ask for, its files fetched and prepared where need be.

    `dimensions` is how many the caller will keep: an API that can shorten vectors is asked to; a
    warning is logged for a model that was not trained for it. Without `normalize` a local model
    leaves out the normalization at the end of its chain.
    """
    ref, source = choose(
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
        return _open_openai(ref, settings, dimensions)
    return _open_local(source, settings, raw=not normalize, progress=progress)


def _shortens(ref: ModelRef) -> bool:
    # An API's model that the catalog does not know is asked, and says itself whether it can.
    return ref.info.shortens if ref.info else ref.provider is Provider.OPENAI


def _open_openai(ref: ModelRef, settings: Settings, dimensions: int | None) -> Embedder:
    from simil.embedders.openai import OpenAIEmbedder

    if settings.offline:
        raise ModelError(f"{ref.target} runs behind an API and simil is offline", hint="use a local model")
    return OpenAIEmbedder(
        model=ref.target,
        api_key=settings.openai.api_key,
        base_url=settings.openai.base_url,
        request_dimensions=dimensions if _shortens(ref) else None,
        known_dimensions=ref.info.dimensions if ref.info else None,
    )


def _open_local(source: ModelSource, settings: Settings, *, raw: bool, progress: Progress) -> Embedder:
    engine = settings.engine
    on_gpu = settings.device in ("cuda", "mps")
    if engine == "onnx" and on_gpu:
        raise ModelError(f"the onnx engine does not run on {settings.device}", hint="use --engine torch")
    if engine != "torch" and not on_gpu:
        try:
            return _open_onnx(source, settings, raw=raw, progress=progress)
        except UnknownChain as exc:
            if engine == "onnx":
                raise ModelError(
                    f"the onnx engine cannot run {source.name}: {exc}", hint="use --engine torch"
                ) from exc
            log.info("%s is run by sentence-transformers: %s", source.name, exc)
    from simil.embedders.torch import TorchEmbedder

    if source.embedded:
        verify_embedded()
    model = _described(source, settings)
    device = "cpu" if settings.device == "auto" and source.embedded else settings.device
    return TorchEmbedder(model, source.folder, device=device, raw=raw, threads=settings.threads)


def _open_onnx(source: ModelSource, settings: Settings, *, raw: bool, progress: Progress) -> Embedder:
    from simil.embedders.onnx import OnnxEmbedder
    from simil.embedders.pooling import load_dense
    from simil.models.prepare import prepare

    chain = read_chain(source.folder)
    prepared = prepare(source, settings.cache_dir, progress)
    dense = [load_dense(source.folder, layer) for layer in chain.dense]
    model = _described(source, settings)
    return OnnxEmbedder(model, prepared, chain, dense, raw=raw, threads=settings.threads)


def _described(source: ModelSource, settings: Settings) -> LocalModel:
    return LocalModel(
        stamp=source.stamp(settings.cache_dir),
        prompts=_prompts(source.folder, source.info),
        overflow=Overflow(settings.overflow),
    )


def _prompts(folder: Path, info: ModelInfo | None) -> dict[Kind, str]:
    """Take the prompts of the model's own files; where they are silent, those of its card."""
    own = read_prompts(folder)
    card = {"query": info.query_prompt, "document": info.document_prompt} if info else {}
    return {kind: own.get(kind) or card.get(kind, "") for kind in Kind}

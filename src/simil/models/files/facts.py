"""Reads the facts about a model from its own files, without loading it."""

from __future__ import annotations

from pathlib import Path

from simil.errors import ModelError
from simil.models.catalog import ModelInfo
from simil.models.files.chain import Chain, UnknownChain, read_chain, read_object
from simil.models.files.folder_check import check_folder
from simil.models.files.model_kind import ModelKind, label_count, model_kind
from simil.models.files.model_settings import read_prompts
from simil.models.files.token_table import read_static

__all__ = ["read_info"]


def read_info(name: str, folder: Path) -> ModelInfo:
    """Return the facts that the files in `folder` give; a fact that cannot be read is None or ""."""
    kind = "embedder"
    try:
        kind = _kind(folder)
        check_folder(folder)
        prompts, table = read_prompts(folder), read_static(folder)
        if table is not None:
            dimensions, max_tokens, pooling, extra = table.dimensions, table.max_tokens, "static", "static"
        else:
            chain = read_chain(folder)
            dimensions, max_tokens = _dimensions(folder, chain), chain.max_tokens
            pooling, extra = "+".join(chain.pooling), ""
    except (UnknownChain, ModelError):
        return ModelInfo(name, "hub", kind=kind)
    if kind != "embedder":
        return ModelInfo(name, "hub", kind=kind, max_tokens=max_tokens, sources={"card": "its files"})
    return ModelInfo(
        name,
        "hub",
        dimensions,
        max_tokens=max_tokens,
        pooling=pooling,
        extra=extra,
        query_prompt=prompts.get("query", ""),
        document_prompt=prompts.get("document", ""),
        symmetric_prompt=prompts.get("symmetric", ""),
        sources={"card": "its files"},
    )


def _kind(folder: Path) -> str:
    """Return what the catalog calls the kind of a model; a classifier of several labels scores no pairs."""
    kind = model_kind(folder)
    if kind is ModelKind.CROSS_ENCODER and label_count(folder) == 1:
        return "reranker"
    return "embedder" if kind is ModelKind.EMBEDDER else "other"


def _dimensions(folder: Path, chain: Chain) -> int | None:
    """Return the length of its vectors: the last layer's, else the transformer's width times the poolings."""
    if chain.dense:
        return _integer(folder / chain.dense[-1].path / "config.json", "out_features")
    width = _integer(folder / "config.json", "hidden_size")
    return None if width is None else width * len(chain.pooling)


def _integer(path: Path, key: str) -> int | None:
    value = (read_object(path) or {}).get(key)
    return value if isinstance(value, int) else None

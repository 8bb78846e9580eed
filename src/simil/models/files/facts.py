"""What a model's own files tell of it, read without loading it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from simil.errors import ModelDamaged
from simil.models.catalog import ModelInfo
from simil.models.files.chain import Chain, UnknownChain, read_chain, read_object, read_prompts
from simil.models.files.token_table import read_static

__all__ = ["read_info"]


def read_info(name: str, folder: Path) -> ModelInfo:
    """Return what the files in `folder` say; what they don't, or say in a way that is not known, is None."""
    try:
        prompts, table = read_prompts(folder), read_static(folder)
        if table is not None:
            dimensions, max_tokens, pooling, extra = table.dimensions, table.max_tokens, "static", "static"
        else:
            chain = read_chain(folder)
            dimensions, max_tokens = _dimensions(folder, chain), chain.max_tokens
            pooling, extra = "+".join(chain.pooling), ""
    except (UnknownChain, ModelDamaged):
        return ModelInfo(name, "hub", None)
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


def _dimensions(folder: Path, chain: Chain) -> int | None:
    """How long its vectors are: what the last layer gives, else the transformer's width for each pooling."""
    if chain.dense:
        return _whole((read_object(folder / chain.dense[-1].path / "config.json") or {}).get("out_features"))
    width = _whole((read_object(folder / "config.json") or {}).get("hidden_size"))
    return None if width is None else width * len(chain.pooling)


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) else None

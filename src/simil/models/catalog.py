"""The models that simil knows by name, as frozen facts; no model is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["DEFAULT", "FALLBACK", "ModelInfo", "catalog", "find_by_stamp", "find_info", "shared_sources"]

DEFAULT = "bge-base"
FALLBACK = "minilm"

_SHARED = "sources"
_FLOAT32_BYTES = 4


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """The facts about a model that are known before it is loaded; None or "" if unknown.

    `provider`: "hub", "embedded" or "openai".
    `max_tokens`: how much of a text it reads, special tokens included; None for no limit.
    `pooling`: how tokens become one vector; "static" for a table of vectors without a transformer.
    `query_prompt`, `document_prompt`, `symmetric_prompt`: what its card says to put before a text.
    `shortens`: its vectors may be shortened to fewer dimensions (Matryoshka).
    `own_code`: its default revision needs code from its repository, which simil never runs; the files of
    another revision say whether it does.
    `extra`: the extra of simil that it needs.
    `parameters`: in millions. `download_mb`: size of the download, in 10^6 bytes.
    `mteb`, `sts`: averages on `benchmark`, 0 to 100, over all its data sets and over those of semantic
    textual similarity.
    `duplicates_at`: the cosine similarity above which two texts say the same.
    `price`: in US dollars for a million tokens.
    `sources`: the source of each figure by its name; `card` is the source of all others. A source may be a
    short name of `shared_sources`.
    """

    name: str
    provider: str
    dimensions: int | None
    max_tokens: int | None = None
    repo: str = ""
    pooling: str = ""
    query_prompt: str = ""
    document_prompt: str = ""
    symmetric_prompt: str = ""
    licence: str = ""
    shortens: bool = False
    own_code: bool = False
    extra: str = ""
    parameters: float | None = None
    download_mb: int | None = None
    benchmark: str = ""
    mteb: float | None = None
    sts: float | None = None
    duplicates_at: float | None = None
    price: float | None = None
    sources: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def cli_name(self) -> str:
        """The model's name for `-m`."""
        return f"openai:{self.name}" if self.provider == "openai" else self.name

    @property
    def prompts(self) -> Mapping[str, str]:
        """The prompts by kind of text."""
        return {
            "query": self.query_prompt,
            "document": self.document_prompt,
            "symmetric": self.symmetric_prompt,
        }

    @property
    def memory_mb(self) -> int | None:
        """The size of its weights in float32, in 10^6 bytes: four bytes per parameter."""
        return None if self.parameters is None else round(self.parameters * _FLOAT32_BYTES)


@cache
def catalog() -> dict[str, ModelInfo]:
    """Return all known models by name, in the catalog's order."""
    return {name: ModelInfo(name=name, **facts) for name, facts in _read_catalog().items() if name != _SHARED}


def shared_sources() -> Mapping[str, str]:
    """Return the sources that several models share, by their short names."""
    sources: Mapping[str, str] = _read_catalog()[_SHARED]
    return sources


@cache
def _read_catalog() -> dict[str, Any]:
    import tomllib

    return tomllib.loads(Path(__file__).with_name("catalog.toml").read_text("utf-8"))


def find_info(name: str) -> ModelInfo | None:
    """Return the known model with this short name, repository, or last part of a repository; else None."""
    known = catalog()
    if name in known:
        return known[name]
    return next((info for info in known.values() if name in _repository_names(info)), None)


def find_by_stamp(stamp: str) -> ModelInfo | None:
    """Return the known model whose vectors carry `stamp` (`name@revision`), None for any other."""
    return find_info(stamp.partition("@")[0])


def _repository_names(info: ModelInfo) -> tuple[str, ...]:
    return (info.repo, info.repo.rpartition("/")[2]) if info.repo else ()

"""The models that simil knows by name: facts as frozen data, nothing loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["DEFAULT", "FALLBACK", "ModelInfo", "catalog", "find_info", "find_stamped", "shared_sources"]

DEFAULT = "bge-base"
FALLBACK = "minilm"

_SHARED = "sources"
_FLOAT32_BYTES = 4


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What is known of a model before it is loaded; None or "" is what nobody has told.

    `provider`: "hub", "embedded" or "openai".
    `max_tokens`: how much of a text it reads, special tokens included; None for no limit.
    `pooling`: how tokens become one vector, "static" for a table of vectors without a transformer.
    `query_prompt`, `document_prompt`, `symmetric_prompt`: what its card says to put before a text.
    `shortens`: it was trained to be cut to fewer dimensions (Matryoshka).
    `own_code`: its repository asks for code of its own to be run, which simil never does.
    `extra`: the optional part of simil that it needs.
    `parameters`: in millions. `download_mb`: what is fetched, in 10^6 bytes.
    `mteb`, `sts`: averages on `benchmark`, 0 to 100, over all its data sets and over those of semantic
    textual similarity.
    `duplicates_at`: the cosine from which on two texts say the same.
    `price`: what an API charges for a million tokens, in US dollars.
    `sources`: where each of these comes from, by its name; `card` holds for those that are not named. Words
    of `shared_sources` stand for what they say there.
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
    def written(self) -> str:
        """The model as it is written after `-m`."""
        return f"openai:{self.name}" if self.provider == "openai" else self.name

    @property
    def prompts(self) -> Mapping[str, str]:
        """What its card says to put before a text, by the kind of text."""
        return {
            "query": self.query_prompt,
            "document": self.document_prompt,
            "symmetric": self.symmetric_prompt,
        }

    @property
    def memory_mb(self) -> int | None:
        """What its weights take in float32, in 10^6 bytes: four for each parameter."""
        return None if self.parameters is None else round(self.parameters * _FLOAT32_BYTES)


@cache
def catalog() -> dict[str, ModelInfo]:
    """Return all known models by name, in the catalog's order."""
    return {name: ModelInfo(name=name, **facts) for name, facts in _tables().items() if name != _SHARED}


def shared_sources() -> Mapping[str, str]:
    """Return what the short names of sources that several models have stand for."""
    sources: Mapping[str, str] = _tables()[_SHARED]
    return sources


@cache
def _tables() -> dict[str, Any]:
    import tomllib

    return tomllib.loads(Path(__file__).with_name("catalog.toml").read_text("utf-8"))


def find_info(name: str) -> ModelInfo | None:
    """Return what is known of the model with this short name, this repository, or its last part."""
    known = catalog()
    if name in known:
        return known[name]
    return next((info for info in known.values() if name in _repository_names(info)), None)


def find_stamped(stamp: str) -> ModelInfo | None:
    """Return what is known of the model whose name and revision, as vectors carry them, is `stamp`."""
    return find_info(stamp.partition("@")[0])


def _repository_names(info: ModelInfo) -> tuple[str, ...]:
    return (info.repo, info.repo.rpartition("/")[2]) if info.repo else ()

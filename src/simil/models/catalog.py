"""The models that simil knows by name: facts as frozen data, nothing loaded."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

__all__ = ["DEFAULT", "FALLBACK", "ModelInfo", "catalog", "find_info", "find_stamped"]

DEFAULT = "bge-base"
FALLBACK = "minilm"


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What is known of a model before it is loaded.

    `provider` is "hub", "embedded" or "openai"; `query_prompt` and `document_prompt` are what the
    model's card says to put before a text; `shortens` says that it was trained to be cut to fewer
    dimensions (Matryoshka); `download_mb` is the size of what is fetched;
    `duplicates_at` the cosine from which on two texts say the same, and `duplicates_from` where that
    figure comes from; `price` is what an API charges for
    a million tokens, in US dollars.
    """

    name: str
    provider: str
    dimensions: int
    max_tokens: int
    repo: str = ""
    pooling: str = ""
    query_prompt: str = ""
    document_prompt: str = ""
    licence: str = ""
    shortens: bool = False
    download_mb: int | None = None
    duplicates_at: float | None = None
    duplicates_from: str = ""
    price: float | None = None


@cache
def catalog() -> dict[str, ModelInfo]:
    """Return all known models by name, in the catalog's order."""
    import tomllib

    text = Path(__file__).with_name("catalog.toml").read_text("utf-8")
    return {name: ModelInfo(name=name, **facts) for name, facts in tomllib.loads(text).items()}


def find_info(name: str) -> ModelInfo | None:
    """Return what is known of the model with this short name or repository."""
    known = catalog()
    return known.get(name) or next((info for info in known.values() if info.repo == name), None)


def find_stamped(stamp: str) -> ModelInfo | None:
    """Return what is known of the model whose name and revision, as vectors carry them, is `stamp`."""
    name = stamp.partition("@")[0]
    return find_info(name) or next(
        (info for info in catalog().values() if info.repo and info.repo.rpartition("/")[2] == name), None
    )

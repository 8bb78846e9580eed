"""The models that simil knows by name, as frozen facts; no model is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from simil.frozen import Frozen

__all__ = [
    "DEFAULT",
    "FALLBACK",
    "SCORES",
    "ModelInfo",
    "benchmarks",
    "catalog",
    "find_by_stamp",
    "find_info",
    "shared_sources",
]

DEFAULT = "bge-base"
FALLBACK = "minilm"
# The scores of a model, each on a benchmark of its own, which `benchmarks` names.
SCORES = (
    "mteb_v1", "sts_v1", "mteb_v2", "sts_v2", "mteb_multilingual", "mteb_code", "long_embed", "ndcg", "mrr",
)  # fmt: skip

# The tables of catalog.toml that are no models.
_SOURCES, _BENCHMARKS = "sources", "benchmarks"
_FLOAT32_BYTES = 4
_NONE: Mapping[str, str] = {}


class ModelInfo(Frozen):
    """The facts about a model that are known before it is loaded; None or "" if unknown.

    `kind`: "embedder", or "reranker" for a model that scores pairs of texts and has no vectors; "other" for
    folders of what simil does not run.
    `provider`: "hub", "embedded" or "openai".
    `max_tokens`: how much of a text it reads, special tokens included; None for no limit.
    `languages`: how many natural languages it was trained for; 1 is English.
    `pooling`: how tokens become one vector; "static" for a table of vectors without a transformer.
    `query_prompt`, `document_prompt`, `symmetric_prompt`: what its card says to put before a text.
    `gated`: its repository asks for consent to its terms, and for a token of the user's.
    `shortens`: its vectors may be shortened to fewer dimensions (Matryoshka).
    `own_code`: its default revision needs code from its repository, which simil never runs; the files of
    another revision say whether it does.
    `extra`: the extra of simil that it needs.
    `superseded_by`: the name of the model that its authors recommend instead.
    `parameters`: in millions. `active_parameters`: those that a text passes through, without the table of
    token vectors, of which it needs a few rows.
    `download_mb`: size of the download, in 10^6 bytes.
    `SCORES`: averages, 0 to 100, each on the benchmark that `benchmarks` gives for its name. Those of
    different benchmarks, and of versions of one, cannot be compared.
    `duplicates_at`: the cosine similarity above which two texts say the same.
    `price`: in US dollars for a million tokens.
    `sources`: the source of each figure by its name; `card` is the source of all others. A source may be a
    short name of `shared_sources`.
    """

    name: str
    provider: str
    dimensions: int | None = None
    kind: str = "embedder"
    max_tokens: int | None = None
    languages: int | None = None
    repo: str = ""
    pooling: str = ""
    query_prompt: str = ""
    document_prompt: str = ""
    symmetric_prompt: str = ""
    licence: str = ""
    gated: bool = False
    shortens: bool = False
    own_code: bool = False
    extra: str = ""
    superseded_by: str = ""
    parameters: float | None = None
    active_parameters: float | None = None
    download_mb: int | None = None
    mteb_v1: float | None = None
    sts_v1: float | None = None
    mteb_v2: float | None = None
    sts_v2: float | None = None
    mteb_multilingual: float | None = None
    mteb_code: float | None = None
    long_embed: float | None = None
    ndcg: float | None = None
    mrr: float | None = None
    duplicates_at: float | None = None
    price: float | None = None
    sources: Mapping[str, str] = _NONE

    def __hash__(self) -> int:
        return hash(self.name)

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
    return {name: _entry(name) for name in _models()}


@cache
def shared_sources() -> Mapping[str, str]:
    """Return the sources that several models share, by their short names."""
    return _read(_SOURCES)


@cache
def benchmarks() -> Mapping[str, str]:
    """Return what each of `SCORES` is an average of: the benchmark, its version and its data sets."""
    return _read(_BENCHMARKS)


@cache
def _entry(name: str) -> ModelInfo:
    return ModelInfo(name=name, **_read(name))


def _read(table: str) -> dict[str, Any]:
    import tomllib

    return tomllib.loads(_tables()[table])


@cache
def _tables() -> dict[str, str]:
    """Return the text of each table of catalog.toml by its name.

    A run needs one model as a rule, and to parse that one alone takes a fraction of the time.
    """
    _, *tables = Path(__file__).with_name("catalog.toml").read_text("utf-8").split("\n[")
    headers = (table.partition("]\n") for table in tables)
    return {name.strip('"'): text for name, _, text in headers}


def find_info(name: str) -> ModelInfo | None:
    """Return the known model with this short name, repository, or last part of a repository; else None."""
    found = next((known for known, text in _models().items() if name in _names(known, text)), None)
    return None if found is None else _entry(found)


def _models() -> dict[str, str]:
    return {name: text for name, text in _tables().items() if name not in (_SOURCES, _BENCHMARKS)}


def _names(known: str, text: str) -> tuple[str, ...]:
    """Return the short name of a model, its repository and the last part of that."""
    repo = text.partition('\nrepo = "')[2].partition('"')[0]
    return (known, repo, repo.rpartition("/")[2]) if repo else (known,)


def find_by_stamp(stamp: str) -> ModelInfo | None:
    """Return the known model whose vectors carry `stamp` (`name@revision`), None for any other."""
    return find_info(stamp.partition("@")[0])

"""The known names of models, and those that resemble a mistyped one."""

from __future__ import annotations

from collections.abc import Iterator

from simil.models.catalog import catalog
from simil.near_names import close_matches

__all__ = ["known_names", "near_repository", "nearest_models"]

# The least similarity of two repositories, whose names have much in common.
_REPOSITORY_CUTOFF = 0.88
_MOST = 3


def known_names() -> list[str]:
    """Return the names of the catalog's models for `-m`, those behind an API with their prefix."""
    return [*(info.cli_name for info in catalog().values()), "openai"]


def nearest_models(name: str) -> list[str]:
    """Return up to three models of the catalog that `name` may have meant, by their names for `-m`."""
    cli_names = dict(_aliases())
    matches = close_matches(name.removeprefix("local:"), cli_names)
    return list(dict.fromkeys(cli_names[match] for match in matches))[:_MOST]


def near_repository(repo: str) -> list[str]:
    """Return the known repository that resembles `repo` most, in a list; none if `repo` is known."""
    known = [info.repo for info in catalog().values() if info.provider == "hub"]
    return [] if repo in known else close_matches(repo, known, _REPOSITORY_CUTOFF)[:1]


def _aliases() -> Iterator[tuple[str, str]]:
    """Yield every name that a model has anywhere, with its name for `-m`."""
    for info in catalog().values():
        for alias in (info.name, info.cli_name, info.repo, info.repo.rpartition("/")[2]):
            if alias:
                yield alias, info.cli_name
    yield "openai", "openai"

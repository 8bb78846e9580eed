"""What completes the values of options in the shell: names of models, of languages.

Each function takes the beginning of a value and the options on the command line (see `ValuesOf`); it loads no
model.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["file_type_names", "language_names", "model_and_server_names", "model_names", "reranker_names"]

# What the names of models behind an API begin with.
_API = "openai:"

Given = Mapping[str, Sequence[str]]


def model_names(incomplete: str, given: Given) -> list[str]:
    """Return the names of models: known ones, plug-ins, and those that are here; opens no connection."""
    from simil.models.entry_points import installed_plugins
    from simil.models.hub.snapshots import cached_repos, hub_cache_dir
    from simil.models.names import known_names

    plugins = [f"plugin:{name}" for name in installed_plugins()]
    return [*known_names(), *plugins, *cached_repos(hub_cache_dir())]


def model_and_server_names(incomplete: str, given: Given) -> list[str]:
    """Return `model_names`, and the models of the server that the command line or the settings name.

    The server is asked only where one of its models may be meant, and has a second.
    """
    names = model_names(incomplete, given)
    if incomplete.startswith(_API) or _API.startswith(incomplete):
        names += [f"{_API}{name}" for name in _server_models(given)]
    return names


def _server_models(given: Given) -> Sequence[str]:
    from simil.config import load_settings
    from simil.embedders.openai.listed_models import listed_models
    from simil.errors import SimilError

    *_, base_url = (None, *given.get("base_url", ()))
    *_, env_file = (None, *map(_path, given.get("env_file", ())))
    try:
        offline = True if "offline" in given else None
        return listed_models(load_settings(base_url=base_url, env_file=env_file, offline=offline))
    except SimilError:  # The run itself will say what is wrong.
        return ()


def _path(word: str) -> Path:
    return Path(os.path.expanduser(word))  # noqa: PTH111 (raises nothing where no home is)


def reranker_names(incomplete: str, given: Given) -> list[str]:
    """Return the names of cross-encoders, known ones and those that are here; opens no connection."""
    from simil.models.catalog import catalog
    from simil.models.hub.snapshots import cached_repos, hub_cache_dir

    known = [info.cli_name for info in catalog().values() if info.kind == "reranker"]
    return [*known, *cached_repos(hub_cache_dir())]


def language_names(incomplete: str, given: Given) -> list[str]:
    """Return the languages of stemmers; none without the extra."""
    from simil.errors import ExtraMissing
    from simil.index.word_tokens import NO_LANGUAGE, languages

    try:
        return [*languages(), NO_LANGUAGE]
    except ExtraMissing:
        return []


def file_type_names(incomplete: str, given: Given) -> list[str]:
    """Return the types of files."""
    from simil.texts.file_types import file_types

    return [*file_types()]

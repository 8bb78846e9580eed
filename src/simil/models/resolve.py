"""Resolves the name that a user gives to `-m` to a model."""

from __future__ import annotations

import re
from enum import Enum, auto
from pathlib import Path

from simil.errors import ModelNotFound
from simil.frozen import Frozen
from simil.models.catalog import ModelInfo, catalog, find_info
from simil.models.names import nearest_models
from simil.near_names import did_you_mean

__all__ = ["ModelRef", "Provider", "resolve"]

DEFAULT_OPENAI = "text-embedding-3-small"
_REPOSITORY = r"[A-Za-z0-9][\w.-]*/[\w.-]+"


class Provider(Enum):
    """Who runs a model."""

    EMBEDDED = auto()
    HUB = auto()
    FOLDER = auto()
    OPENAI = auto()
    PLUGIN = auto()


class ModelRef(Frozen):
    """One model: `target` is a repository, a folder, an API's model name or a plug-in's name."""

    provider: Provider
    target: str
    revision: str | None = None
    info: ModelInfo | None = None

    @property
    def cli_name(self) -> str:
        """The model's shortest name for `-m`, without its revision."""
        if self.provider is Provider.PLUGIN:
            return f"plugin:{self.target}"
        if self.provider is Provider.OPENAI:
            return f"openai:{self.target}"
        if self.provider is Provider.HUB and self.info is not None and self.info.provider == "hub":
            return self.info.name
        return self.target


def resolve(name: str) -> ModelRef:
    """Return the model that `name` means; opens and fetches nothing.

    Raises `ModelNotFound`, with similar known names, if it means none.
    """
    if name.startswith("plugin:"):
        return ModelRef(Provider.PLUGIN, name.removeprefix("plugin:"))
    if name == "openai" or name.startswith("openai:"):
        model = name.removeprefix("openai").removeprefix(":") or DEFAULT_OPENAI
        return ModelRef(Provider.OPENAI, model, info=catalog().get(model))
    if _is_path(name):
        return _folder(name)
    base, _, revision = name.removeprefix("local:").partition("@")
    info = find_info(base)
    if info is not None and info.provider == "embedded" and base != info.repo:
        if revision:
            raise ModelNotFound(
                f"{info.name} ships with simil in a single revision", hint=f"leave out @{revision}"
            )
        return ModelRef(Provider.EMBEDDED, info.name, info=info)
    if info is not None and info.provider == "hub":
        known = info.replaced(own_code=False) if revision else info
        return ModelRef(Provider.HUB, info.repo, revision or None, known)
    if re.fullmatch(_REPOSITORY, base):
        return ModelRef(Provider.HUB, base, revision or None, info)
    raise _not_found(name)


def _is_path(name: str) -> bool:
    return (
        name in (".", "..") or name.startswith(("./", "../", "~", ".\\", "..\\")) or Path(name).is_absolute()
    )


def _folder(name: str) -> ModelRef:
    try:
        folder = Path(name).expanduser()
    except RuntimeError as exc:
        raise ModelNotFound(f"there is no home directory for {name}") from exc
    if not folder.is_dir():
        raise ModelNotFound(f"there is no model folder {name}")
    if not any((folder / file).is_file() for file in ("modules.json", "config.json")):
        raise ModelNotFound(
            f"{name} is not a sentence-transformers model: it has neither modules.json nor config.json"
        )
    return ModelRef(Provider.FOLDER, str(folder.resolve()))


def _not_found(name: str) -> ModelNotFound:
    near = nearest_models(name)
    if name and Path(name).is_dir():  # The path of an empty name is the current folder.
        hint = f"write a folder as ./{name}"
    elif f"openai:{name}" in near:
        hint = f"write a model behind OpenAI's API as openai:{name}"
    else:
        hint = did_you_mean(near) or (
            "simil models lists the known ones; write a repository as org/name, a folder as ./dir"
        )
    return ModelNotFound(f"unknown model {name!r}", hint=hint)

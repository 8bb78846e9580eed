"""Reads how a model wants to be used: the prompts before its texts, and how its vectors are compared."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from simil.errors import ModelDamaged, Place
from simil.models.files.chain import SETTINGS, read_settings
from simil.similarity import Metric

__all__ = ["read_prompts", "read_similarity", "unused_prompts"]

# sentence-transformers has these two in every model, and prefers the latter to "passage" and "corpus".
_QUERY, _DOCUMENT = "query", "document"


def read_prompts(folder: Path) -> dict[str, str]:
    """Return the prompts in the model's own files by kind of text, as sentence-transformers uses them.

    `query` and `document` are those of these names, `symmetric` is the default one, which it puts before any
    other text. Raises `ModelDamaged` for files that cannot be read.
    """
    config = read_settings(folder)
    given = _named_prompts(folder, config)
    by_kind = {kind: given.get(kind, "") for kind in (_QUERY, _DOCUMENT)}
    default = config.get("default_prompt_name")
    if default is not None:
        if default not in [*by_kind, *given]:
            what = f"its default_prompt_name is {default!r}, and it has no prompt of that name"
            raise ModelDamaged(what, place=Place(str(folder / SETTINGS)))
        by_kind["symmetric"] = (by_kind | given)[default]
    return {kind: prompt for kind, prompt in by_kind.items() if prompt}


def unused_prompts(folder: Path) -> list[str]:
    """Return the names of the prompts in the model's own files that `read_prompts` leaves out."""
    config = read_settings(folder)
    used = (_QUERY, _DOCUMENT, config.get("default_prompt_name"))
    return [name for name, prompt in _named_prompts(folder, config).items() if prompt and name not in used]


def read_similarity(folder: Path) -> Metric:
    """Return how the model's own files say that its vectors are compared; cosine if they do not say."""
    name = read_settings(folder).get("similarity_fn_name")
    # sentence-transformers passes over names that it does not know, too.
    return next((metric for metric in Metric if metric == name), Metric.COSINE)


def _named_prompts(folder: Path, config: Mapping[str, Any]) -> dict[str, str]:
    given = config.get("prompts") or {}
    if not isinstance(given, dict) or not all(isinstance(prompt, str | None) for prompt in given.values()):
        raise ModelDamaged("its prompts are not an object of strings", place=Place(str(folder / SETTINGS)))
    return {name: prompt or "" for name, prompt in given.items()}

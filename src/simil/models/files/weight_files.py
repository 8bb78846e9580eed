"""Tells which files hold the weights of a module by their names: a single file, or shards and their index.

Of several forms, all libraries read the first of these: safetensors before pickles, one file before shards.
"""

from __future__ import annotations

import re
from collections.abc import Collection

__all__ = ["ADAPTER", "form_in_use", "whole_weights"]

ADAPTER = "adapter_config.json"

_FORMS = ("model.safetensors", "pytorch_model.bin")
_INDEX = ".index.json"


def whole_weights(names: Collection[str]) -> list[str]:
    """Return the files of the first form of the weights that is whole among the `names`, [] if none is.

    A file of another precision (`model.fp16.safetensors`) is no form of its own.
    """
    for form in _FORMS:
        if form in names:
            return [form]
        shards = _shards(form, names)
        if shards and f"{form}{_INDEX}" in names:
            return [f"{form}{_INDEX}", *shards]
    return []


def form_in_use(names: Collection[str]) -> str | None:
    """Return the file or index of shards that libraries open among the `names`, None if there is none."""
    order = (name for form in _FORMS for name in (form, f"{form}{_INDEX}"))
    return next((name for name in order if name in names), None)


def _shards(form: str, names: Collection[str]) -> list[str]:
    """Return a form's shards, such as `model-00001-of-00003.safetensors`, [] unless all are there."""
    stem, _, suffix = form.rpartition(".")
    shard = re.compile(rf"{re.escape(stem)}-(\d+)-of-(\d+)\.{suffix}")
    found = [(match[2], int(match[1]), name) for name in names if (match := shard.fullmatch(name))]
    for total in {total for total, _, _ in found}:
        numbered = {number: name for of, number, name in found if of == total}
        if numbered.keys() == set(range(1, int(total) + 1)):
            return [numbered[number] for number in sorted(numbered)]
    return []

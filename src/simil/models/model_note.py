"""The line of `-v` about the model of a run: its engine, precision and revision, and the prompts in use."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence

from simil.models.files.model_settings import read_similarity, unused_prompts
from simil.models.files.model_source import ModelSource
from simil.similarity import Metric

__all__ = ["FROM_CACHE", "model_note"]

log = logging.getLogger("simil")

# In place of an engine, where none was opened.
FROM_CACHE = "from the cache"
_REVISION_DIGITS = 12
_MOST_SHOWN = 80


def model_note(
    source: ModelSource, precision: str, revision: str, prompts: Mapping[str, str]
) -> Callable[[str], None]:
    """Return a function that logs the line for an engine, unless it was the last one logged.

    `prompts` are those in use by kind of text.
    """
    logged: list[str] = []

    def note(engine: str) -> None:
        if log.isEnabledFor(logging.INFO) and logged[-1:] != [engine]:
            logged.append(engine)
            parts = [engine, precision, f"revision {revision[:_REVISION_DIGITS]}", *_prompts(prompts)]
            log.info("%s: %s", source.name, ", ".join([*parts, *_set_aside(source)]))

    return note


def _prompts(prompts: Mapping[str, str]) -> Sequence[str]:
    return [f"{kind} prompt {_quoted(prompt)}" for kind, prompt in prompts.items() if prompt] or [
        "no prompts"
    ]


def _set_aside(source: ModelSource) -> Sequence[str]:
    """Say which of the model's settings are not followed everywhere."""
    if source.embedded:
        return []
    metric, unused = read_similarity(source.folder), unused_prompts(source.folder)
    parts = (
        [] if metric is Metric.COSINE else [f"similarity {metric} (compare follows it, all else is cosine)"]
    )
    return [*parts, f"prompts not used: {', '.join(map(_quoted, unused))}"] if unused else parts


def _quoted(text: str) -> str:
    shown = text if len(text) <= _MOST_SHOWN else f"{text[: _MOST_SHOWN - 1]}…"
    return json.dumps(shown, ensure_ascii=False)

"""What the tools of `simil mcp` are called, take and answer, as a program is told it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simil.frozen import Frozen

__all__ = ["TOOLS", "VECTOR_SUFFIXES", "ToolDeclaration"]

VECTOR_SUFFIXES = (".npy", ".parquet", ".arrow", ".lance", ".jsonl", ".json", ".csv", ".tsv")
"""Those that the output of `embed` can have."""

# What a program may ask for at once, so that no answer fills its context.
_MOST_HITS = 100
_MOST_PATHS = 100
_MOST_COMPARED = 20
_MOST_TEXTS = 1000
_MOST_CHARACTERS = 20_000

_STRING = {"type": "string"}
_NUMBER = {"type": "number"}
_INTEGER = {"type": "integer"}
_TEXT = {"type": "string", "minLength": 1, "maxLength": _MOST_CHARACTERS}
_PATH = {"type": "string", "maxLength": 4096}


class ToolDeclaration(Frozen):
    """One tool; `takes` and `answers` are JSON schemas of objects.

    `writes` says that it may change files.
    """

    title: str
    description: str
    takes: Mapping[str, Any]
    answers: Mapping[str, Any]
    writes: bool = False


def _object(properties: Mapping[str, Any], *required: str) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": [*required]}


def _said(schema: Mapping[str, Any], description: str, **more: Any) -> dict[str, Any]:
    return {**schema, **more, "description": description}


_HIT = _object(
    {"path": _STRING, "line": _INTEGER, "id": _STRING, "score": _NUMBER, "text": _STRING},
    "path", "score", "text",
)  # fmt: skip

TOOLS: Mapping[str, ToolDeclaration] = {
    "search": ToolDeclaration(
        "Search by meaning",
        "Find the lines of files that are closest in meaning to a query, best first. It finds what is worded "
        "otherwise, where grep needs the words. Each hit has its path, its line, its cosine similarity and "
        "the beginning of its text.",
        _object(
            {
                "query": _said(_TEXT, "What to look for, in words of any language that the model knows."),
                "paths": _said(
                    {"type": "array", "items": _PATH, "minItems": 1, "maxItems": _MOST_PATHS},
                    "Files of texts (one per line; CSV, JSON, JSON Lines, Parquet), folders, files of saved "
                    "vectors, and Lance datasets. Default: all folders that may be used.",
                ),
                "top_k": _said(_INTEGER, "How many hits; default 10.", minimum=1, maximum=_MOST_HITS),
                "threshold": _said(_NUMBER, "The least cosine similarity of a hit.", minimum=-1, maximum=1),
            },
            "query",
        ),
        _object(
            {"hits": {"type": "array", "items": _HIT}, "searched": _INTEGER, "model": _STRING},
            "hits", "searched", "model",
        ),
    ),
    "compare": ToolDeclaration(
        "Compare texts",
        "How alike texts are in meaning: the cosine similarity of two, or of each of several with each.",
        _object(
            {
                "texts": _said(
                    {"type": "array", "items": _TEXT, "minItems": 2, "maxItems": _MOST_COMPARED},
                    "The texts.",
                )
            },
            "texts",
        ),
        _object(
            {
                "score": _said(_NUMBER, "Of two texts."),
                "matrix": _said(
                    {"type": "array", "items": {"type": "array", "items": _NUMBER}}, "Of more than two texts."
                ),
                "model": _STRING,
            },
            "model",
        ),
    ),
    "embed": ToolDeclaration(
        "Embed texts into a file",
        "Write the vectors of texts into a file, which search takes as a path. The answer has counts and the "
        "path, and no numbers of vectors.",
        _object(
            {
                "output": _said(
                    _PATH,
                    f"The new file; its suffix is the format: {' '.join(VECTOR_SUFFIXES)}.",
                ),
                "path": _said(_PATH, "A file of texts."),
                "texts": _said(
                    {"type": "array", "items": _TEXT, "minItems": 1, "maxItems": _MOST_TEXTS},
                    "The texts themselves, in place of path.",
                ),
                "kind": _said(
                    {"type": "string", "enum": ["document", "query", "symmetric"]},
                    "What the texts are to the model; default: document, as search needs them.",
                ),
                "overwrite": _said({"type": "boolean"}, "Replace output if it exists; default: false."),
            },
            "output",
        ),
        _object(
            {"path": _STRING, "count": _INTEGER, "dimensions": _INTEGER, "model": _STRING},
            "path", "count", "dimensions", "model",
        ),
        writes=True,
    ),
    "models": ToolDeclaration(
        "List models",
        "Which embedding models there are, their states on this machine, and which one is used.",
        _object({}),
        _object(
            {
                "used": _STRING,
                "why": _STRING,
                "models": {"type": "array", "items": _object({"name": _STRING, "state": _STRING})},
            },
            "used", "why", "models",
        ),
    ),
}  # fmt: skip
"""The tools by their names."""

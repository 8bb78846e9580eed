"""The commands by their names; each is imported when it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simil.cli.options.groups import ExpandedCommand

__all__ = ["COMMANDS", "SIMPLE_COMMANDS", "command_named"]

COMMANDS = (
    "compare", "embed", "search", "classify", "cluster", "outliers", "dedupe", "match", "index", "eval",
    "serve", "mcp", "models", "cache", "batch", "config", "doctor",
)  # fmt: skip
SIMPLE_COMMANDS = tuple(name for name in COMMANDS if name not in ("models", "cache", "batch", "config"))
"""The commands that have no subcommands."""


def command_named(name: str) -> ExpandedCommand:  # noqa: PLR0912 (an import to each, which a test reads)
    """Return one of the `SIMPLE_COMMANDS`."""
    match name:
        case "compare":
            from simil.cli.commands.compare import compare as command
        case "embed":
            from simil.cli.commands.embed import embed as command
        case "search":
            from simil.cli.commands.search import search as command
        case "classify":
            from simil.cli.commands.classify import classify as command
        case "cluster":
            from simil.cli.commands.cluster import cluster as command
        case "outliers":
            from simil.cli.commands.outliers import outliers as command
        case "dedupe":
            from simil.cli.commands.dedupe import dedupe as command
        case "match":
            from simil.cli.commands.match import match as command
        case "index":
            from simil.cli.commands.index import index as command
        case "eval":
            from simil.cli.commands.eval import evaluate as command
        case "serve":
            from simil.cli.commands.serve import serve as command
        case "mcp":
            from simil.cli.commands.mcp import mcp as command
        case "doctor":
            from simil.cli.commands.doctor import doctor as command
    return command
